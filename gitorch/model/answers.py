r"""What an agent answers to the numbered comments of a review, read from its last message.

A line for each comment: `Comment 1: done 1a2b3c4`, `Comment 2: kept, because ...` or `Comment 3: refuted: ...`.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

import msgspec

from gitorch.model.redact import redacted
from gitorch.model.visible import visible

AnswerKind: TypeAlias = Literal["done", "kept", "refuted"]

ASKED = """\
For each comment, also write a line into that message, with the comment's number and one of these:
`Comment 1: done COMMIT` (the commit that does it), `Comment 1: kept, because ...` (you did not change it, and why), or
`Comment 1: refuted: ...` (the comment is mistaken, and what shows it)."""

_ANSWER = re.compile(
    r"^[\s>*-]*(?:\*\*|__)?(?:comment\s+)?#?(\d{1,4})(?:\*\*|__)?\s*[.):-]*\s*(?:\*\*|`)?(done|kept|refuted)\b(?:\*\*|`)?"
    r"[\s,:.-]*(.*)$",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"`?\b([0-9a-f]{7,64})\b`?")
_LONGEST = 500


class CommentAnswer(msgspec.Struct, frozen=True):
    """The answer to one comment: `commit` is what the agent named, unchecked; `text` its reason or remark."""

    number: int
    kind: AnswerKind
    commit: str = ""
    text: str = ""

    def __str__(self) -> str:
        if self.kind == "done":
            return " ".join(filter(None, ("done", self.commit, self.text)))
        return f"kept, {self.text}" if self.kind == "kept" else f"refuted: {self.text}"


def read_answers(summary: str) -> dict[int, CommentAnswer]:
    """Return the answers in an agent's last message by the number of the comment; the last one counts."""
    answers: dict[int, CommentAnswer] = {}
    for line in visible(redacted(summary)).split("\n"):
        if match := _ANSWER.match(line):
            number, kind, rest = int(match[1]), cast(AnswerKind, match[2].lower()), match[3].strip()
            commit = _COMMIT.match(rest) if kind == "done" else None
            text = rest[commit.end() :].strip(" ,:.-") if commit else rest
            answers[number] = CommentAnswer(number, kind, commit[1] if commit else "", text[:_LONGEST])
    return answers
