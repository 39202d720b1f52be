"""What a room does with files that are not to be collected."""

from __future__ import annotations

from gitorch.git import worktree_status, worktrees
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model import naming


def discard(repository: Repository, worktree: Worktree, task: str, reason: str) -> None:
    """Bring the files back to the checked-out commit, after saving what differs in a rescue point of the task."""
    if worktree_status.uncommitted(repository, worktree).paths:
        worktrees.rescue(repository, worktree, naming.rescue_ref(task), reason)
        worktrees.restore(repository, worktree)
