// An extension for hunk (https://github.com/modem-dev/hunk): gitorch reads the comments that you save in hunk.
//
//     cp gitorch-comments.mjs ~/.config/hunk/extensions/
//     orchestrate config set review.viewer "COMMENTS={output} hunk diff {range}" --user

import { appendFileSync } from "node:fs";

export default function (hunk) {
  hunk.on("note_created", ({ note }) => {
    if (!process.env.COMMENTS) return;
    const sign = note.side === "old" ? "-" : "+";
    appendFileSync(process.env.COMMENTS, `## ${note.filePath}:${note.line} (${sign})\n${note.body}\n\n`);
  });
}
