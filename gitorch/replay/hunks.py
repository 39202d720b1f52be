"""The places of a conflict: what git marked in the files, cut into hunks with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from gitorch.replay import Conflicted, Replayer

MARKER = 7
"""The least length of a conflict marker."""

_NAMED = re.compile(r" (?:[0-9a-f]{64}|[0-9a-f]{40})(?::.*)?\r?$")
"""How git goes on behind a marker: with the commit's id. Files may hold markers of their own, with other names."""

_LONGEST = 200
"""Lines of one side that are kept: a hunk is shown, not applied."""


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """One place where two sides differ: the path, and what each has there.

    `line` is that of the first line in our file, `ours` and `theirs` the lines of each side, without their ends.
    """

    path: str
    line: int
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


def cut(replayer: Replayer, conflict: Conflicted) -> tuple[Hunk, ...]:
    """Return the hunks of a conflict's files as git marked them; none for a file without marks, or a binary one."""
    tree = conflict.tree
    if tree is None:
        return ()
    contents = ((path, replayer.file(tree, path)) for path in conflict.paths)
    return tuple(hunk for path, content in contents if content for hunk in _cut(path, content))


def _cut(path: str, content: bytes) -> Iterator[Hunk]:
    if b"\0" in content:
        return
    lines = content.decode("utf-8", "replace").split("\n")
    at, before = 0, 0
    while at < len(lines):
        found = _marked(lines, at)
        if found is None:
            at, before = at + 1, before + 1
            continue
        ours, theirs, end = found
        yield Hunk(
            path=path,
            line=before + 1,
            ours=tuple(lines[at + 1 : ours][:_LONGEST]),
            theirs=tuple(lines[theirs + 1 : end][:_LONGEST]),
        )
        at, before = end + 1, before + ours - at - 1


def _marked(lines: Sequence[str], at: int) -> tuple[int, int, int] | None:
    """Return where our side, the separator and the whole of a marked place end; None where there is none."""
    size = len(lines[at]) - len(lines[at].lstrip("<"))
    if size < MARKER or not _NAMED.match(lines[at][size:]):
        return None
    closing = ">" * size
    end = next((n for n in range(at + 1, len(lines)) if _closes(lines[n], closing)), None)
    separator = next((n for n in range(at + 1, end or at) if lines[n].rstrip("\r") == "=" * size), None)
    if end is None or separator is None:
        return None
    base = next((n for n in range(at + 1, separator) if lines[n].startswith("|" * size + " ")), separator)
    return base, separator, end


def _closes(line: str, closing: str) -> bool:
    return line.startswith(closing) and _NAMED.match(line[len(closing) :]) is not None
