"""Hunks as the text of a patch: redacted, harmless for a terminal, in the colours of `git diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gitorch.cli.terminal.sanitize import safe, safe_block
from gitorch.git.diff.file_patches import NO_FILE, FilePatch
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.git.diff.patch_lines import LineKind, PatchLine
from gitorch.model.credentials.redaction import Redactor

_RESET = "\x1b[m"
_MARKS = {LineKind.ADDED: "+", LineKind.REMOVED: "-", LineKind.CONTEXT: " "}
_SLOTS = {LineKind.ADDED: "new", LineKind.REMOVED: "old"}
_WIDEST = 4_000

Beside = Callable[[HunkPatch], Iterable[str]]
"""Returns lines to show before a hunk."""


def patch_text(
    hunks: Iterable[HunkPatch], colours: Mapping[str, str] | None = None, beside: Beside | None = None
) -> str:
    """Return hunks as a patch; `colours` are the sequences of git's slots, `beside` what to show before a hunk."""
    redactor = Redactor()
    lines: list[str] = []
    file: FilePatch | None = None
    for hunk in hunks:
        if file is None or hunk.file.path != file.path:
            file = hunk.file
            lines += (_coloured(line, "meta", colours) for line in head_lines(file))
        if beside:
            lines += beside(hunk)
        if hunk.hunk:
            lines.append(_coloured(safe(hunk.hunk.header, width=_WIDEST), "frag", colours))
            lines += (
                _coloured(line_text(line, redactor), _SLOTS.get(line.kind, ""), colours) for line in hunk.hunk.lines
            )
    return "".join(f"{line}\n" for line in lines)


def head_lines(file: FilePatch) -> Iterator[str]:
    """Yield what git prints above the hunks of a file."""
    old, new = safe(file.old_path, width=_WIDEST), safe(file.path, width=_WIDEST)
    yield f"diff --git a/{old} b/{new}"
    if file.old_mode == NO_FILE:
        yield f"new file mode {file.new_mode}"
    elif file.new_mode == NO_FILE:
        yield f"deleted file mode {file.old_mode}"
    elif file.old_mode != file.new_mode:
        yield f"old mode {file.old_mode}"
        yield f"new mode {file.new_mode}"
    if file.old_path != file.path:
        yield f"rename from {old}"
        yield f"rename to {new}"
    if file.is_binary:
        yield f"Binary files a/{old} and b/{new} differ"
    elif file.hunks:
        yield f"--- {'/dev/null' if file.old_mode == NO_FILE else f'a/{old}'}"
        yield f"+++ {'/dev/null' if file.new_mode == NO_FILE else f'b/{new}'}"


def line_text(line: PatchLine, redactor: Redactor) -> str:
    """Return a line of a hunk with its mark, redacted and harmless."""
    text = safe_block(redactor.feed(line.text + "\n")).rstrip("\n")
    return f"{_MARKS.get(line.kind, '')}{text}"


def _coloured(text: str, slot: str, colours: Mapping[str, str] | None) -> str:
    sequence = colours.get(slot, "") if colours else ""
    return f"{sequence}{text}{_RESET}" if sequence else text
