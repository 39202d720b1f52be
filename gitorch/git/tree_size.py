"""How many files a commit stands for, counted before git compares or checks them out.

A tree of 300 bytes can stand for a billion files: ten folders that are all the same one, and so on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitorch.git.repository import BatchProcess, Repository
from gitorch.model.naming import Oid

MOST_ENTRIES = 1_000_000
"""With more files and folders in a commit, git works on a single status for minutes."""


def size_problem(repository: Repository, commit: Oid, limit: int = MOST_ENTRIES) -> str:
    """Return why a commit is too large to be checked out or compared, or an empty text."""
    return _size_problem(repository.common_dir, commit, limit)


def comparison_problem(repository: Repository, base: Oid, commit: Oid, limit: int = MOST_ENTRIES) -> str:
    """Return why a commit is too large to be compared with `base`, or an empty text.

    git does not read folders that both have at the same place, and neither does this.
    """
    return _comparison_problem(repository.common_dir, base, commit, limit)


def files_size(repository: Repository, commit: Oid) -> int:
    """Return how many bytes the files of a commit take when they are checked out, without submodules."""
    sizes = (line.split(maxsplit=4)[3] for line in repository.lines("ls-tree", "-r", "-l", commit))
    return sum(int(size) for size in sizes if size != b"-")


@functools.lru_cache(maxsize=256)  # what an id stands for never changes
def _size_problem(common_dir: Path, commit: Oid, limit: int) -> str:
    repository = Repository(common_dir, None)
    with _trees(repository) as trees:
        return _problem(trees.count(repository.tree(commit)), limit)


@functools.lru_cache(maxsize=256)
def _comparison_problem(common_dir: Path, base: Oid, commit: Oid, limit: int) -> str:
    repository = Repository(common_dir, None)
    with _trees(repository) as trees:
        return _problem(trees.count_differing(repository.tree(base), repository.tree(commit)), limit)


def _problem(count: int, limit: int) -> str:
    return f"a tree stands for {count} files, more than {limit}" if count > limit else ""


@contextmanager
def _trees(repository: Repository) -> Iterator[_Trees]:
    process = repository.start_batch("cat-file", "--batch")
    try:
        yield _Trees(process)
    finally:
        process.close()


class _Trees:
    """Reads trees, each distinct one once, however often it is used."""

    def __init__(self, process: BatchProcess) -> None:
        self._process = process
        self._entries: dict[str, dict[bytes, str]] = {}
        self._totals: dict[str, int] = {}

    def count(self, tree: str) -> int:
        """Return the number of files and folders below a tree."""
        pending = [tree]
        while pending:
            oid = pending[-1]
            folders = [child for child in self._read(oid).values() if child]
            if missing := {child for child in folders if child not in self._totals}:
                pending += missing
                continue
            self._totals[oid] = len(self._read(oid)) + sum(self._totals[child] for child in folders)
            pending.pop()
        return self._totals[tree]

    def count_differing(self, old: str, new: str) -> int:
        """Return the number of files and folders below a tree that the old one does not have at the same place."""
        total = 0
        pending = [(old, new)]
        while pending:  # at most once for each folder of the old tree
            old_entries, new_entries = (self._read(tree) for tree in pending.pop())
            total += len(new_entries)
            for name, folder in new_entries.items():
                if folder and (old_folder := old_entries.get(name)):
                    pending += [(old_folder, folder)] if old_folder != folder else []
                elif folder:
                    total += self.count(folder)
        return total

    def _read(self, tree: str) -> dict[bytes, str]:
        if tree not in self._entries:
            self._entries[tree] = dict(_read_entries(self._process, tree))
        return self._entries[tree]


def _read_entries(process: BatchProcess, tree: str) -> Iterator[tuple[bytes, str]]:
    """Yield the name of each entry of a tree, with the id of the folder that it is; empty for a file."""
    process.send(f"{tree}\n".encode())
    size = int(process.read_line().split()[2])
    content = process.read(size + 1)
    width = len(tree) // 2
    position = 0
    while position < size:
        end = content.index(b"\0", position)
        mode, _, name = content[position:end].partition(b" ")
        yield name, content[end + 1 : end + 1 + width].hex() if mode == b"40000" else ""
        position = end + 1 + width
