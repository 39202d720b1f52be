"""The review file: a diff quoted with `> `, with comments between its lines. Written for an editor, and read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gitorch.cli.terminal.hunk_text import head_lines, line_text
from gitorch.errors import InvalidInput
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.git.diff.patch_lines import LineKind
from gitorch.model.credentials.redaction import Redactor
from gitorch.model.review.severity import split_severity
from gitorch.model.task import QUESTION_MARK, Comment

VERDICTS = ("comment", "revise", "approve", "reject")
SEVERITIES = ("must", "should", "note")
_HELP = """\
# {title}
#
# Write comments between the quoted lines: each is about the line above it, or
# about the file below a file's name. What you write here, above the diff, is
# about the whole task. Begin a comment with must:, should: or note: to say how
# much it weighs. With ?? it is a question, which the agent answers and changes
# nothing for. A suggestion block replaces the line:
#     ```suggestion
#     the new text
#     ```
# `@ FILE:LINE-END` on a line of its own starts a comment on other lines (`@old`
# for lines of the base, `@ -` for the whole task). A `\\` in front keeps a line
# that would mean something. Quoted lines can be deleted, and must not be
# changed. Lines that start with # are left out.
#
# The verdict: comment (keep the comments for later), revise (send them to the
# agent now), approve, or reject.
@gitorch {verdict}
"""
_HUNK_HELP = """\

# Write above this line what should change at {place},
# or below a quoted line what is about that line. must:, should:, note: and ??
# work as in a review, and so does a suggestion block.
"""
_END = """\

# ----
# The end of the diff. An editor reads its settings from the last lines of a
# file, so these are not the agent's.
#
#
#
"""
_VERDICT = re.compile(r"@gitorch\s+(\S+)\s*")
_PLACE = re.compile(r"@(old)?\s+(\".*\"|\S.*?)(?::(\d+)(?:-(\d+))?)?\s*")
_BLOCK = "```suggestion"
_BLOCK_END = "```"
_SPECIAL = re.compile(r"(?:>|#|\\|@|```|\?\?|(?:must|should|note):)")


class QuotedLine(msgspec.Struct, frozen=True):
    """A line of the diff as it is quoted, and the place that a comment below it is about."""

    text: str
    file: str
    line: int = 0
    is_old: bool = False


class ReviewText(msgspec.Struct, frozen=True):
    """What a review file says: the verdict, and the comments in their order."""

    verdict: str
    comments: tuple[Comment, ...]


def quoted_lines(hunks: Iterable[HunkPatch]) -> list[QuotedLine]:
    """Return the lines of a diff with their places, redacted and harmless."""
    redactor = Redactor()
    lines: list[QuotedLine] = []
    path = None
    for hunk in hunks:
        file = hunk.file
        if path != file.path:
            path = file.path
            lines += (QuotedLine(text, path) for text in head_lines(file))
        if hunk.hunk is None:
            continue
        lines.append(QuotedLine(hunk.hunk.header, path, hunk.line))
        for line in hunk.hunk.lines:
            is_old = line.kind is LineKind.REMOVED
            number = (line.old if is_old else line.new) or (lines[-1].line if line.kind is LineKind.META else 0)
            lines.append(QuotedLine(line_text(line, redactor), file.old_path if is_old else path, number, is_old))
    return lines


def render(title: str, quoted: Sequence[QuotedLine], comments: Iterable[Comment], verdict: str = "comment") -> str:
    """Return the review file of a task with its pending comments."""
    pending = list(comments)
    parts = [_HELP.format(title=title, verdict=verdict)]
    parts.append(_group([comment for comment in pending if not comment.file]))
    remaining = [comment for comment in pending if comment.file]
    for number, line in enumerate(quoted):
        parts.append(f"> {line.text}\n")
        following = quoted[number + 1] if number + 1 < len(quoted) else None
        about = [comment for comment in remaining if _is_about(comment, line, following)]
        remaining = [comment for comment in remaining if comment not in about]
        parts.append(_group(about))
    parts += map(_elsewhere, remaining)
    return "".join([*parts, _END])


def render_hunk(place: str, quoted: Sequence[QuotedLine]) -> str:
    """Return the lines of a hunk to comment on: the words above them are about the hunk."""
    return "".join([_HUNK_HELP.format(place=place), *(f"> {line.text}\n" for line in quoted), _END])


def parse(text: str, quoted: Sequence[QuotedLine]) -> ReviewText:
    """Return what a review file says; raise `InvalidInput` for a quoted line that is not in the diff."""
    verdict, place = "comment", Comment(text="")
    groups: list[tuple[Comment, list[str]]] = [(place, [])]
    position, is_block = 0, False
    for number, line in enumerate(text.split("\n"), start=1):
        if not is_block and line.startswith(">"):
            position = _find(quoted, line, position, number)
            source = quoted[position]
            groups.append((Comment(text="", file=source.file, line=source.line, is_old=source.is_old), []))
            position += 1
        elif not is_block and (match := _VERDICT.fullmatch(line)):
            verdict = _known(match[1], number)
        elif not is_block and (match := _PLACE.fullmatch(line)):
            groups.append((_place(match, number), []))
        elif is_block or not line.startswith("#"):
            is_block = line != _BLOCK_END if is_block else line == _BLOCK
            groups[-1][1].append(line)
    return ReviewText(verdict, tuple(comment for place, lines in groups for comment in _comments(place, lines)))


def _comments(place: Comment, lines: Sequence[str]) -> Iterator[Comment]:
    """Yield the comments below one quoted line: each severity begins another one."""
    words: list[str] = []
    severity, suggestion, is_block = "", None, False
    block: list[str] = []
    for line in [*lines, None]:
        start = _begin(line) if line is not None and not is_block else None
        if line is None or start:
            if (text := "\n".join(words).strip("\n")).strip() or suggestion is not None:
                yield msgspec.structs.replace(place, text=text, severity=severity, suggestion=suggestion)
            words, severity, suggestion = ([start[1]], start[0], None) if start else ([], "", None)
        elif is_block:
            is_block = line != _BLOCK_END
            if is_block:
                block.append(line.removeprefix("\\") if line.startswith("\\") else line)
            else:
                suggestion = "\n".join(block)
        elif line == _BLOCK:
            is_block, block = True, []
        else:
            words.append(line.removeprefix("\\") if line.startswith("\\") else line)


def _begin(line: str) -> tuple[str, str] | None:
    """Return severity and words of a line that begins a comment: with a severity, or with the mark of a question."""
    severity, words = split_severity(line)
    if severity:
        return severity, words
    return ("", line) if line.startswith(QUESTION_MARK) else None


def _group(comments: Sequence[Comment]) -> str:
    """Return the comments of one place; what has no severity would belong to the comment before it."""
    first, later = comments[:1], comments[1:]
    return "".join(
        [*map(_comment, first), *(_comment(entry) if _begins(entry) else _elsewhere(entry) for entry in later)]
    )


def _begins(comment: Comment) -> bool:
    """Return whether the first line of a comment shows that it is another one."""
    return bool(comment.severity) or comment.text.startswith(QUESTION_MARK)


def _elsewhere(comment: Comment) -> str:
    place = f"@{'old' if comment.is_old else ''} {_quoted_place(comment) or '-'}\n"
    return f"{place}{_comment(comment)}"


def _comment(comment: Comment) -> str:
    head, *more_lines = comment.text.split("\n")
    # a severity or a question starts a comment, so the words of its first line need no mark
    first = f"{comment.severity}: {head}" if comment.severity else head if _begins(comment) else _escaped(head)
    lines = [first, *map(_escaped, more_lines)]
    if comment.suggestion is not None:
        body = [f"\\{line}" if line.startswith(("\\", "```")) else line for line in comment.suggestion.split("\n")]
        lines += [_BLOCK, *body, _BLOCK_END]
    return "".join(f"{line}\n" for line in lines)


def _escaped(line: str) -> str:
    return f"\\{line}" if _SPECIAL.match(line) else line


def _is_about(comment: Comment, line: QuotedLine, following: QuotedLine | None) -> bool:
    """Return whether a comment goes below a quoted line: the last one of its place, without a range of lines."""
    place = (comment.file, comment.line, comment.is_old)
    is_last = following is None or (following.file, following.line, following.is_old) != place
    return comment.end == 0 and (line.file, line.line, line.is_old) == place and is_last


def _quoted_place(comment: Comment) -> str:
    file = comment.file if re.fullmatch(r"(?:\w[\w./ +-]*\w|\w?)", comment.file) else json.dumps(comment.file)
    return file + comment.place.removeprefix(comment.file)


def _place(match: re.Match[str], number: int) -> Comment:
    try:
        file = json.loads(match[2]) if match[2].startswith('"') else match[2].removeprefix("-")
    except ValueError:
        raise InvalidInput("review-file", f"line {number} of the review file is not a place: {match[0]}") from None
    return Comment(text="", file=file, line=int(match[3] or 0), end=int(match[4] or 0), is_old=bool(match[1]))


def _find(quoted: Sequence[QuotedLine], line: str, position: int, number: int) -> int:
    """Return the position of a quoted line in the diff, at or after a position."""
    text = line[1:].removeprefix(" ").rstrip()
    for index in range(position, len(quoted)):
        if quoted[index].text.rstrip() == text:
            return index
    raise InvalidInput(
        "review-file",
        f"line {number} of the review file quotes a line that is not in the diff: {line[:80]}",
        why="quoted lines can be deleted, but not changed or moved",
    )


def _known(verdict: str, number: int) -> str:
    if verdict not in VERDICTS:
        raise InvalidInput("review-file", f"line {number} of the review file: {verdict} is not a verdict", fix=VERDICTS)
    return verdict
