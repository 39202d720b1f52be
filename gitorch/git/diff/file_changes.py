"""The files that branches change, with renames and lines, for many branches in one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

CommitPair = tuple[Oid, Oid]
"""The base and the tip of a branch."""

LineCounts = tuple[int, int]
"""Lines added and removed; binary files have none."""

# above this number of files, git pairs only those with the same content
_RENAME_LIMIT = 400
_OPTIONS = ("-r", "-z", "--raw", "--numstat", "--no-ext-diff", "--no-textconv", "--always")


class FileChange(msgspec.Struct, frozen=True):
    """One file of a branch diff: its status (A, D, M, T, R), and the lines added and removed (None: binary).

    `old_path` is the name of a renamed file (R) at the base; `old_size` and `size` are bytes, known for a review only.
    """

    path: str
    status: str
    added: int | None
    removed: int | None
    old_path: str = ""
    old_size: int | None = None
    size: int | None = None

    def as_paths(self) -> tuple[FileChange, ...]:
        """Return the change by paths: a rename as a deletion of the old one and an addition of the new one."""
        if not self.old_path:
            return (self,)
        lines = (None, None) if self.added is None else (0, 0)
        return FileChange(self.old_path, "D", *lines), FileChange(self.path, "A", self.added, self.removed)


def file_changes(repository: Repository, pairs: Iterable[CommitPair]) -> dict[CommitPair, tuple[FileChange, ...]]:
    """Return the files that differ between base and tip; without pairs that have no such commits."""
    unique = list(dict.fromkeys(pairs))
    if not unique:
        return {}
    request = "".join(f"{tip} {base}\n" for base, tip in unique).encode()
    renames = ("--find-renames", f"-l{_RENAME_LIMIT}")
    fields = iter(repository.git("diff-tree", "--stdin", *_OPTIONS, *renames, input=request).fields())
    files: dict[CommitPair, list[FileChange]] = {}
    kinds: dict[str, str] = {}
    requests = iter(unique)
    current: list[FileChange] = []
    for field in fields:
        if field.startswith(":"):
            status = field.rpartition(" ")[2][0]
            old_path = next(fields)
            kinds[next(fields) if status == "R" else old_path] = status
        elif "\t" in field:
            current.append(_change(field, fields, kinds))
        else:  # the tip of the next request; git leaves out what is no commit
            pair = next((pair for pair in requests if pair[1] == field), None)
            kinds, current = {}, files.setdefault(pair, []) if pair else []
    return {pair: tuple(changes) for pair, changes in files.items()}


def line_counts(repository: Repository, pairs: Iterable[CommitPair]) -> dict[CommitPair, LineCounts]:
    """Return the line counts of each branch, renamed files by what changed in them; without unknown commits."""
    return {
        pair: (sum(file.added or 0 for file in files), sum(file.removed or 0 for file in files))
        for pair, files in file_changes(repository, pairs).items()
    }


def _change(counts: str, fields: Iterator[str], kinds: dict[str, str]) -> FileChange:
    """Read an entry of `--numstat -z`: its path is empty for a rename, and both paths follow."""
    added, removed, path = counts.split("\t", 2)
    old_path = "" if path else next(fields)
    path = path or next(fields)
    return FileChange(path, kinds.get(path, "M"), _count(added), _count(removed), old_path)


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)
