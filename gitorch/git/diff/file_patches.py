"""The patch of a branch as values: files, their hunks, and lines with their numbers. Up to a limit of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

from gitorch.git.diff.patch_lines import LineKind, PatchLine, read_patch
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

MAX_LINES = 50_000
"""Lines of one branch's patch that are read."""

NO_FILE = "000000"
LINK = "120000"
SUBMODULE = "160000"
EXECUTABLE = "100755"


class Hunk(msgspec.Struct, frozen=True):
    """A hunk: its header, the first numbers of its old and new lines, and its lines with context."""

    header: str
    old: int
    new: int
    lines: tuple[PatchLine, ...]

    @property
    def removed(self) -> list[PatchLine]:
        """The removed lines. `new` is the line of the new file before which they were."""
        removed, number = [], max(self.new, 1)
        for line in self.lines:
            if line.kind is LineKind.REMOVED:
                removed.append(msgspec.structs.replace(line, new=number))
            elif line.new is not None:
                number = line.new + 1
        return removed


class FilePatch(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a patch. `old_path` differs from `path` for a renamed or copied file; `status` is git's letter.

    A mode is `NO_FILE` where there is no such file; `new_id` is the object of the new content.
    """

    path: str
    old_path: str
    status: str
    old_mode: str
    new_mode: str
    new_id: str = ""
    hunks: tuple[Hunk, ...] = ()

    @property
    def added(self) -> list[PatchLine]:
        """The added lines."""
        return [line for hunk in self.hunks for line in hunk.lines if line.kind is LineKind.ADDED]

    @property
    def removed(self) -> list[PatchLine]:
        """The removed lines. `new` is the line of the new file before which they were."""
        return [line for hunk in self.hunks for line in hunk.removed]

    @property
    def is_binary(self) -> bool:
        """Whether it has no lines for people: attributes do not decide that, since a branch can change them."""
        return any("\0" in line.text for hunk in self.hunks for line in hunk.lines)

    @property
    def is_rename(self) -> bool:
        """Whether the file was renamed."""
        return self.status == "R"


class BranchPatch(msgspec.Struct, frozen=True):
    """The files of a branch's patch in git's order; `is_cut` says that some have lines that were not read."""

    files: tuple[FilePatch, ...] = ()
    is_cut: bool = False


@lru_cache(64)  # signals, order and viewed marks of one review ask for the same
def read_files(repository: Repository, base: Oid, tip: Oid) -> BranchPatch:
    """Return the files that differ between two commits, with renames and hunks."""
    options = ("-r", "-z", "--raw", "--no-abbrev", "--find-renames", "--no-ext-diff", "--no-textconv")
    entries = list(_entries(repository.git("diff-tree", *options, base, tip).fields()))
    patch = read_patch(repository, base, tip, MAX_LINES)
    sections = iter(_sections(patch.lines))
    files = []
    for entry in entries:
        hunks = next(sections, ())
        if entry.status == "T":  # git prints a change of type as a deletion and an addition
            hunks = (*hunks, *next(sections, ()))
        files.append(msgspec.structs.replace(entry, hunks=hunks))
    return BranchPatch(tuple(files), patch.is_cut)


def _entries(fields: Iterable[str]) -> Iterator[FilePatch]:
    """Read `diff-tree -z --raw`: the modes, ids and status of a file, then its path, or the old and the new one."""
    stream = iter(fields)
    for words in stream:
        old_mode, new_mode, _, new_id, status = words[1:].split(" ")
        old_path = next(stream)
        path = next(stream) if status[0] in "RC" else old_path
        yield FilePatch(
            path=path, old_path=old_path, status=status[0], old_mode=old_mode, new_mode=new_mode, new_id=new_id
        )


def _sections(lines: Sequence[PatchLine]) -> Iterator[tuple[Hunk, ...]]:
    """Yield the hunks of each file."""
    starts = [number for number, line in enumerate(lines) if line.kind is LineKind.FILE]
    for start, end in pairwise([*starts, len(lines)]):
        yield tuple(_hunks(lines[start:end]))


def _hunks(lines: Sequence[PatchLine]) -> Iterator[Hunk]:
    starts = [number for number, line in enumerate(lines) if line.kind is LineKind.HUNK]
    for start, end in pairwise([*starts, len(lines)]):
        body = tuple(lines[start + 1 : end])
        old = next((line.old for line in body if line.old is not None), 0)
        new = next((line.new for line in body if line.new is not None), 0)
        yield Hunk(lines[start].text, old, new, body)
