"""Make the reference engine (`merge --engine git-rebase`)."""

from __future__ import annotations

from gitorch.replay.rebase import RebaseReplayer
from gitorch.rooms.paths import worktree_path
from gitorch.services.workspace import Workspace


def rebase_replayer(workspace: Workspace) -> RebaseReplayer:
    """Return an engine that runs `git rebase` in a worktree kept for it."""
    # no task can have this name, so no task worktree is at this path
    return RebaseReplayer(workspace.repository, worktree_path(workspace.repository, workspace.config, ".rebase"))
