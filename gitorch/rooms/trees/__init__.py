"""Checks of exact trees, in a pool of clean worktrees."""

from gitorch.rooms.trees.check_cache import CheckCache, TreeResults, environment_digest
from gitorch.rooms.trees.checker import NAME, TreeChecker
from gitorch.rooms.trees.clean_checkout import check_commit, finished_checks
from gitorch.rooms.trees.worktree_pool import WorktreePool, reclaim

__all__ = [
    "NAME",
    "CheckCache",
    "TreeChecker",
    "TreeResults",
    "WorktreePool",
    "check_commit",
    "environment_digest",
    "finished_checks",
    "reclaim",
]
