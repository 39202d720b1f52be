"""The patch of a branch as typed lines, up to a limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

_OPTIONS = (
    *("-r", "-p", "--unified=3", "--text", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"),
)
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_LONGEST = 2_000
"""Characters of one line that are kept."""


class LineKind(StrEnum):
    """What a line of a patch is."""

    FILE = "file"
    META = "meta"
    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    CONTEXT = "context"


class PatchLine(msgspec.Struct, frozen=True):
    """A line of a patch without its mark, with its numbers in the old and the new file."""

    kind: LineKind
    text: str
    old: int | None = None
    new: int | None = None


class Patch(msgspec.Struct, frozen=True):
    """The lines of a patch; `is_cut` says that there are more."""

    lines: tuple[PatchLine, ...] = ()
    is_cut: bool = False


def read_patch(repository: Repository, base: Oid, tip: Oid, limit: int) -> Patch:
    """Return the patch between two commits, up to a number of lines."""
    lines: list[PatchLine] = []
    for line in _parsed(repository.lines("diff-tree", *_OPTIONS, base, tip)):
        if len(lines) == limit:
            return Patch(tuple(lines), is_cut=True)
        lines.append(line)
    return Patch(tuple(lines))


def _parsed(lines: Iterable[bytes]) -> Iterator[PatchLine]:
    old = new = old_left = new_left = 0  # the numbers of the next lines, and how many of the hunk are to come
    is_part = False
    for line in lines:
        was_part, is_part = is_part, not line.endswith(b"\n")
        if was_part:  # the rest of a line that is longer than a part
            continue
        text = line[:_LONGEST].decode("utf-8", "surrogateescape").rstrip("\n")
        if old_left and line.startswith(b"-"):
            yield PatchLine(LineKind.REMOVED, text[1:], old=old)
            old, old_left = old + 1, old_left - 1
        elif new_left and line.startswith(b"+"):
            yield PatchLine(LineKind.ADDED, text[1:], new=new)
            new, new_left = new + 1, new_left - 1
        elif (old_left or new_left) and line.startswith(b" "):
            yield PatchLine(LineKind.CONTEXT, text[1:], old=old, new=new)
            old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
        elif hunk := _HUNK.match(line):
            start_old, count_old, start_new, count_new = hunk.groups()
            old, new = int(start_old), int(start_new)
            old_left, new_left = int(count_old or 1), int(count_new or 1)
            yield PatchLine(LineKind.HUNK, text)
        elif line.startswith(b"diff --git "):
            yield PatchLine(LineKind.FILE, text.removeprefix("diff --git "))
        else:
            yield PatchLine(LineKind.META, text)
