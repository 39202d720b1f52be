"""The lines that branches add and remove, for many in one process."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.git.file_changes import CommitPair, file_changes
from gitorch.git.repository import Repository

LineCounts = tuple[int, int]
"""Lines added and removed; binary files have none."""


def line_counts(repository: Repository, pairs: Iterable[CommitPair]) -> dict[CommitPair, LineCounts]:
    """Return the line counts of each branch, renamed files by what changed in them; without unknown commits."""
    return {
        pair: (sum(file.added or 0 for file in files), sum(file.removed or 0 for file in files))
        for pair, files in file_changes(repository, pairs).items()
    }
