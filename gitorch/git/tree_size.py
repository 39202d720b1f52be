"""How many files a commit stands for, counted before git compares or checks them out.

A tree of 300 bytes can stand for a billion files: ten folders that are all the same one, and so on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from gitorch.git.repository import BatchProcess, Repository
from gitorch.model.naming import Oid

MOST_ENTRIES = 1_000_000
"""With more files and folders in a commit, git works on a single status for minutes."""


def size_problem(repository: Repository, commit: Oid, most: int = MOST_ENTRIES) -> str:
    """Return why a commit is too large to be checked out or compared, or an empty text."""
    return _size_problem(repository.common_dir, commit, most)


def files_size(repository: Repository, commit: Oid) -> int:
    """Return how many bytes the files of a commit take when they are checked out, without submodules."""
    sizes = (line.split(maxsplit=4)[3] for line in repository.lines("ls-tree", "-r", "-l", commit))
    return sum(int(size) for size in sizes if size != b"-")


@functools.lru_cache(maxsize=256)  # what an id stands for never changes
def _size_problem(common_dir: Path, commit: Oid, most: int) -> str:
    repository = Repository(common_dir, None)
    process = repository.start_batch("cat-file", "--batch")
    try:
        count = _count_entries(process, repository.tree(commit))
    finally:
        process.close()
    return f"a tree stands for {count} files, more than {most}" if count > most else ""


def _count_entries(process: BatchProcess, tree: str) -> int:
    """Return the files and folders below a tree; each distinct tree is read once, however deep it is."""
    entries: dict[str, list[str]] = {}
    totals: dict[str, int] = {}
    pending = [tree]
    while pending:
        oid = pending[-1]
        if oid not in entries:
            entries[oid] = list(_read_entries(process, oid))
        if missing := {child for child in entries[oid] if child and child not in totals}:
            pending += missing
            continue
        totals[oid] = len(entries[oid]) + sum(totals[child] for child in entries[oid] if child)
        pending.pop()
    return totals[tree]


def _read_entries(process: BatchProcess, tree: str) -> Iterator[str]:
    """Yield for each entry of a tree the id of the folder that it is; empty for a file."""
    process.send(f"{tree}\n".encode())
    size = int(process.read_line().split()[2])
    content = process.read(size + 1)
    width = len(tree) // 2
    position = 0
    while position < size:
        end = content.index(b"\0", position)
        is_folder = content.startswith(b"40000 ", position)
        yield content[end + 1 : end + 1 + width].hex() if is_folder else ""
        position = end + 1 + width
