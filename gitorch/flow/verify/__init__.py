"""Checks on the exact tree that is about to be published, in worktrees that are kept for this."""

from gitorch.flow.verify.judge import NAME, Judge

__all__ = ["NAME", "Judge"]
