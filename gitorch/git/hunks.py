"""The places of a conflict: what git marked in the files, cut into hunks with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from gitorch.git.replay import Conflicted

MARKER = 7
"""The least length of a conflict marker."""

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


def cut(conflict: Conflicted, contents: Mapping[str, bytes]) -> tuple[Hunk, ...]:
    """Return the hunks of a conflict's files as git marked them; none for a file without marks, or a binary one."""
    return tuple(hunk for path in conflict.paths for hunk in _cut(path, contents.get(path, b""), conflict.commit))


def _cut(path: str, content: bytes, theirs: str) -> Iterator[Hunk]:
    if b"\0" in content:
        return
    lines = content.decode("utf-8", "replace").split("\n")
    at, ours_before = 0, 0
    while at < len(lines):
        found = _marked(lines, at, theirs)
        if found is None:
            at, ours_before = at + 1, ours_before + 1
            continue
        ours, base, end = found
        yield Hunk(
            path=path,
            line=ours_before + 1,
            ours=tuple(lines[at + 1 : ours][:_LONGEST]),
            theirs=tuple(lines[base + 1 : end][:_LONGEST]),
        )
        at, ours_before = end + 1, ours_before + ours - at - 1


def _marked(lines: Sequence[str], at: int, theirs: str) -> tuple[int, int, int] | None:
    """Return where our side, the separator and the whole of a marked place end; None where there is none."""
    size = len(lines[at]) - len(lines[at].lstrip("<"))
    if size < MARKER or not lines[at][size:].startswith(" "):
        return None
    # files may hold such lines of their own: only marks that close with the commit that was picked are git's
    closing = re.compile(rf">{{{size}}} .*{theirs[:MARKER]}")
    end = next((n for n in range(at + 1, len(lines)) if closing.match(lines[n])), None)
    separator = next((n for n in range(at + 1, end or at) if lines[n] == "=" * size), None)
    if end is None or separator is None:
        return None
    base = next((n for n in range(at + 1, separator) if lines[n].startswith("|" * size + " ")), separator)
    return base, separator, end
