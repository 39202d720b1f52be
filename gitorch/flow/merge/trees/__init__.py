"""Checks of the exact tree that is about to be published, in a pool of worktrees."""

from gitorch.flow.merge.trees.checker import NAME, TreeChecker

__all__ = ["NAME", "TreeChecker"]
