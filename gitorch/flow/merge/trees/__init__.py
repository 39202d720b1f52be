"""Checks on the exact tree that is about to be published, in worktrees that are kept for this."""

from gitorch.flow.merge.trees.checker import NAME, Judge

__all__ = ["NAME", "Judge"]
