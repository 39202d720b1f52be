"""What a room does with files that are not to be collected."""

from __future__ import annotations

from gitorch.git import worktree_status, worktrees
from gitorch.git.repository import Repository
from gitorch.git.rescue import skipped_of
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, branch_ref, rescue_ref
from gitorch.rooms.base import Progress, RoomSpec


def progress(repository: Repository, worktree: Worktree, spec: RoomSpec, tip: Oid | None) -> Progress:
    """Return what an agent has done so far: its files as they are, on top of `tip`, if that builds on its branch."""
    saved = worktrees.rescue(repository, worktree, rescue_ref(spec.task), f"uncommitted work of {spec.task}")
    start = repository.read_ref(branch_ref(spec.branch)) or spec.base
    if tip is None or not repository.is_ancestor(start, tip):
        tip = start
    if saved is None:
        return Progress(tip, repository.tree(Oid(worktree.git(repository, "rev-parse", "--verify", "HEAD").text)))
    (commit,) = repository.commits([saved])
    return Progress(tip, commit.tree, tuple(skipped_of(commit.message)))


def discard(repository: Repository, worktree: Worktree, task: str, reason: str) -> None:
    """Bring the files back to the checked-out commit, after saving what differs in a rescue point of the task."""
    if worktree_status.uncommitted(repository, worktree).paths:
        worktrees.rescue(repository, worktree, rescue_ref(task), reason)
        worktrees.restore(repository, worktree)
