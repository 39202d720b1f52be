"""Comments that an external diff viewer has written: the formats of revdiff, tuicr and difit."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gitorch.model.task import Comment

_PLACE = r"(?P<file>.+?)(?::L?(?P<old>~)?(?P<line>\d+)(?:-L?(?P<end>\d+))?)?"
_REVDIFF = re.compile(rf"## {_PLACE} \((?P<kind>\+|-| |file-level|review-level)\)")
_TUICR_PLACE = r"(?P<file>.+?)(?::(?P<old>~)?(?P<line>\d+)(?:-~?(?P<end>\d+))?)?"
_TUICR_COMMIT = r"(?: \(commit [0-9a-f]+\))?"
_TUICR = re.compile(
    rf"(?P<number>\d+)\.(?: \*\*\[(?P<kind>[^\]]+)\]\*\*)?(?: `{_TUICR_PLACE}`{_TUICR_COMMIT})? - (?P<text>.*)"
)
_TUICR_REVIEW = re.compile(r"Review Comment \(scope: .*\)")
_DIFIT = re.compile(r"(?P<file>.+?):L(?P<line>\d+)(?:-L?(?P<end>\d+))?")
_DIFIT_START = "Comments from review session:"
_DIFIT_RULE = "=" * 50
_SEVERITIES = {"ISSUE": "must", "SUGGESTION": "should", "NOTE": "note", "PRAISE": "note"}
_QUESTION = "QUESTION"


def read_viewer_comments(text: str) -> list[Comment]:
    """Return the comments in what a viewer wrote; what is none of the three formats gives none.

    - revdiff (`--output`): `## FILE:LINE (+)` or `(-)`, `## FILE (file-level)`, and the words below
    - tuicr (`--stdout`): `1. `FILE:LINE` - words`, `~LINE` for a line of the base, `**[ISSUE]**` before the place if it
      has a type
    - difit (printed when it ends): `FILE:L42` or `FILE:L42-L48` and the words below, between rules of 50 `=`
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if any(_REVDIFF.fullmatch(line) for line in lines):
        comments = _revdiff(lines)
    elif any(_DIFIT_START in line for line in lines):
        comments = _difit(lines)
    else:
        comments = _tuicr(lines)
    return [comment for comment in comments if comment.text]


def _revdiff(lines: list[str]) -> Iterator[Comment]:
    head: re.Match[str] | None = None
    words: list[str] = []
    for line in [*lines, None]:
        match = _REVDIFF.fullmatch(line) if line is not None else None
        if line is not None and match is None:
            words.append(line)
            continue
        if head is not None:
            yield _comment(head, "\n".join(words), is_old=head["kind"] == "-")
        head, words = match, []


def _tuicr(lines: list[str]) -> Iterator[Comment]:
    """Yield the comments of the numbered list; the lines of one are indented below its number, and all else is text."""
    head: re.Match[str] | None = None
    words: list[str] = []
    count = 0
    for line in [*lines, "end"]:
        indent = " " * (len(str(count)) + 2)
        if head is not None and (line.startswith(indent) or not line.strip()):
            words.append(line.removeprefix(indent))
            continue
        if head is not None:
            yield _tuicr_comment(head, "\n".join(words))
        match = _TUICR.fullmatch(line)
        head = match if match and int(match["number"]) == count + 1 else None
        if head is not None:
            count += 1
            words = [head["text"]]


def _tuicr_comment(head: re.Match[str], text: str) -> Comment:
    """Return a comment with the severity of its type; other types, which a user of tuicr names, begin its words."""
    kind = head["kind"] or ""
    if kind == _QUESTION:
        text = f"?? {text}"
    elif kind and kind not in _SEVERITIES:
        text = f"{kind.lower()}: {text}"
    comment = _comment(head, text, is_old=bool(head["old"]), severity=_SEVERITIES.get(kind, ""))
    return msgspec.structs.replace(comment, file="") if _TUICR_REVIEW.fullmatch(comment.file) else comment


def _difit(lines: list[str]) -> Iterator[Comment]:
    start = next(number for number, line in enumerate(lines) if _DIFIT_START in line)
    thread: list[str] = []
    for line in lines[start + 1 :]:
        if line != _DIFIT_RULE:
            thread.append(line)
            continue
        if thread and (head := _DIFIT.fullmatch(thread[0])):
            yield _comment(head, "\n".join(thread[1:]), is_old=False)
        thread = []


def _comment(head: re.Match[str], text: str, *, is_old: bool, severity: str = "") -> Comment:
    line, end = int(head["line"] or 0), int(head["end"] or 0)
    return Comment(
        text=text.strip(),
        file=head["file"] or "",
        line=line,
        end=end if end > line else 0,
        is_old=is_old and line > 0,
        severity=severity,
    )
