"""The hunks of a conflict: what git marked in the files, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from gitorch.replay.protocol import Replayer
from gitorch.replay.values import Conflicted

_MIN_MARKER = 7
"""The least length of a conflict marker."""

_LABEL = re.compile(r" (?:[0-9a-f]{64}|[0-9a-f]{40})(?::.*)?\r?$")
"""What git writes behind a marker: the commit's id. Files may contain markers of their own, with other labels."""

_MAX_LINES = 200
"""Lines of one side that are returned: a hunk is shown, not applied."""


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """One conflicting place in a file: the path, and the lines of each side, without their ends.

    `line` is the number of the first line in our file.
    """

    path: str
    line: int
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


def find_hunks(replayer: Replayer, conflict: Conflicted) -> tuple[Hunk, ...]:
    """Return the hunks of a conflict's files as git marked them; none for a file without marks, or a binary one."""
    tree = conflict.tree
    if tree is None:
        return ()
    contents = ((path, replayer.file(tree, path)) for path in conflict.paths)
    return tuple(hunk for path, content in contents if content for hunk in _hunks(path, content))


def _hunks(path: str, content: bytes) -> Iterator[Hunk]:
    if b"\0" in content:
        return
    lines = content.decode("utf-8", "replace").split("\n")
    index, our_line = 0, 0
    while index < len(lines):
        marks = find_marks(lines, index)
        if marks is None:
            index, our_line = index + 1, our_line + 1
            continue
        our_end, separator, end = marks
        yield Hunk(
            path=path,
            line=our_line + 1,
            ours=tuple(lines[index + 1 : our_end][:_MAX_LINES]),
            theirs=tuple(lines[separator + 1 : end][:_MAX_LINES]),
        )
        index, our_line = end + 1, our_line + our_end - index - 1


def find_marks(lines: Sequence[str], start: int) -> tuple[int, int, int] | None:
    """Return where our side, the separator and the whole hunk at a line end; None if there is no hunk.

    The lines of what both sides started from, if they are shown, are between the end of our side and the separator.
    """
    size = len(lines[start]) - len(lines[start].lstrip("<"))
    if size < _MIN_MARKER or not _LABEL.match(lines[start][size:]):
        return None
    closing = ">" * size
    end = next((number for number in range(start + 1, len(lines)) if _closes(lines[number], closing)), None)
    middle = range(start + 1, end or start)
    separator = next((number for number in middle if lines[number].rstrip("\r") == "=" * size), None)
    if end is None or separator is None:
        return None
    before = range(start + 1, separator)
    base = next((number for number in before if lines[number].startswith("|" * size + " ")), separator)
    return base, separator, end


def _closes(line: str, closing: str) -> bool:
    return line.startswith(closing) and _LABEL.match(line[len(closing) :]) is not None
