r"""What an agent answers to the numbered comments of a review, read from its last message.

A line for each comment: `Comment 1: done 1a2b3c4`, `Comment 2: kept, because ...` or `Comment 3: refuted: ...`. The
answer to a question begins with `Answer 4:`, and ends where the next one begins.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

import msgspec

from gitorch.model import handoff
from gitorch.model.credentials.redaction import redacted
from gitorch.model.visible import visible

AnswerKind: TypeAlias = Literal["done", "kept", "refuted", "answered"]

ASKED = """\
For each comment, also write a line into that message, with the comment's number and one of these:
`Comment 1: done COMMIT` (the commit that does it), `Comment 1: kept, because ...` (you did not change it, and why), or
`Comment 1: refuted: ...` (the comment is mistaken, and what shows it)."""

ASKED_TO_ANSWER = """\
For each question, write your answer into that message, as long as it needs to be. Begin it on a line of its own with
the number: `Answer 1: ...`."""

_ANSWER = re.compile(
    r"^[\s>*-]*(?:\*\*|__)?(?:comment\s+)?#?(\d{1,4})(?:\*\*|__)?\s*[.):-]*\s*(?:\*\*|`)?(done|kept|refuted)\b(?:\*\*|`)?"
    r"[\s,:.-]*(.*)$",
    re.IGNORECASE,
)
_BEGIN = re.compile(
    r"^[\s>*#-]*(?:\*\*|__)?(?:answer|question)(?:\s+to)?(?:\s+question)?\s+#?(\d{1,4})(?:\*\*|__)?\s*[.):-]*"
    r"(?:\*\*|__)?[ \t]*(.*)$",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"`?\b([0-9a-f]{7,64})\b`?")
_LONGEST = 500
LONGEST_ANSWER = 8_000
"""Characters of the answer to a question."""


class CommentAnswer(msgspec.Struct, frozen=True):
    """The answer to one comment: `commit` is what the agent named, unchecked; `text` its reason or remark."""

    number: int
    kind: AnswerKind
    commit: str = ""
    text: str = ""

    def __str__(self) -> str:
        if self.kind == "done":
            return " ".join(filter(None, ("done", self.commit, self.text)))
        if self.kind == "answered":
            return self.text
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


def read_question_answers(summary: str) -> dict[int, str]:
    """Return the answers to questions in an agent's last message by their numbers; the last one counts."""
    answers: dict[int, list[str]] = {}
    lines: list[str] = []
    for line in visible(redacted(summary)).split("\n"):
        if match := _BEGIN.match(line):
            lines = answers[int(match[1])] = [match[2]]
        elif _ANSWER.match(line) or handoff.is_heading(line):
            lines = []  # of the rest of the message
        else:
            lines.append(line)
    texts = {number: "\n".join(found).strip() for number, found in answers.items()}
    return {number: _shortened(text) for number, text in texts.items() if text}


def whole_answer(summary: str) -> str:
    """Return an agent's last message as one answer."""
    return _shortened(visible(redacted(summary)).strip())


def _shortened(text: str) -> str:
    cut = len(text) - LONGEST_ANSWER
    return text if cut <= 0 else f"{text[:LONGEST_ANSWER]}\n[cut: {cut} characters more]"
