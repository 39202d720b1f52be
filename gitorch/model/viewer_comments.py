"""Comments that an external diff viewer has written: the formats of revdiff, tuicr and difit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitorch.model.task import Comment

_PLACE = r"(?P<file>.+?)(?::L?(?P<old>~)?(?P<line>\d+)(?:-L?(?P<end>\d+))?)?"
_REVDIFF = re.compile(rf"## {_PLACE} \((?P<kind>\+|-| |file-level|review-level)\)")
_TUICR = re.compile(rf"\d+\. \*\*\[(?P<kind>[A-Z]+)\]\*\*(?: `{_PLACE}`)? - (?P<text>.*)")
_DIFIT = re.compile(r"(?P<file>.+?):L(?P<line>\d+)(?:-L?(?P<end>\d+))?")
_DIFIT_START = "Comments from review session:"
_DIFIT_RULE = "=" * 50
_SEVERITIES = {"ISSUE": "must", "SUGGESTION": "should", "NOTE": "note", "PRAISE": "note"}


def read_viewer_comments(text: str) -> list[Comment]:
    """Return the comments in what a viewer wrote; what is none of the three formats gives none.

    - revdiff (`--output`): `## FILE:LINE (+)` or `(-)`, `## FILE (file-level)`, and the words below
    - tuicr (`--stdout`): `1. **[ISSUE]** `FILE:LINE` - words`, `~LINE` for a line of the base
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
    head: re.Match[str] | None = None
    words: list[str] = []
    for line in [*lines, None]:
        match = _TUICR.fullmatch(line) if line is not None else None
        if line is not None and match is None:
            words.append(line.strip())
            continue
        if head is not None:
            yield _comment(head, "\n".join(words), is_old=bool(head["old"]), severity=_SEVERITIES.get(head["kind"], ""))
        head, words = match, [match["text"]] if match else []


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
