"""Names that one branch in flight removes and another uses. It loads parsers, which most commands do without."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.flow.forecast.pairs import Branch
from gitorch.flow.forecast.removed_names import find_removed_names
from gitorch.git.repository import Repository
from gitorch.model.forecast import RemovedName


def find(repository: Repository, branches: Sequence[Branch]) -> tuple[RemovedName, ...]:
    """Return the names that do not fit together among branches in flight."""
    return find_removed_names(repository, branches)
