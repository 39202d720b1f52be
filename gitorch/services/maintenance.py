"""Clean up closed tasks: worktrees, branches and logs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gitorch.git import worktrees
from gitorch.model import naming
from gitorch.model.naming import branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task
from gitorch.services import guard
from gitorch.services.changes import operate
from gitorch.services.recovery import operation_lock
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import FolderMove, describe


def removable(workspace: Workspace) -> list[Task]:
    """Return the tasks that `cleanup` would remove: merged and rejected ones that no other task waits for."""
    tasks = workspace.tasks.values()
    closed = {task.id: task for task in tasks if task.state in (State.MERGED, State.REJECTED)}
    needed = {name for task in tasks if task.id not in closed for name in task.spec.after}
    return [task for name, task in closed.items() if name not in needed]


def cleanup(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Task]:
    """Remove worktrees and branches of closed tasks, and the tasks from the file, yielding each.

    Uncommitted files go to a rescue point, the branch's commits stay under `refs/gitorch/trash/`.
    """
    guard.require_person("clean up")
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    for task in tasks:
        _remove_worktree(workspace, task)
    _empty_trash(workspace)
    logged = [task for task in tasks if (workspace.folder / "attempts" / task.id).exists()]
    # moved away, or the next task of this name would adopt these executions
    folders = [FolderMove(f"attempts/{task.id}", f"trash/{stamp}/{task.id}") for task in logged]
    boxed = [task for task in tasks if (workspace.folder / "rooms" / task.id).exists()]
    folders += [FolderMove(f"rooms/{task.id}", f"trash/{stamp}/rooms-{task.id}") for task in boxed]
    pairs = [(task, None) for task in tasks]
    with operation_lock(workspace):
        moves = _trash(workspace, tasks, stamp)
        operate(workspace, "cleanup", pairs, moves, summary=describe("clean up", tasks), folders=folders)
    yield from tasks
    workspace.store.snapshot()


def _remove_worktree(workspace: Workspace, task: Task) -> None:
    worktree = worktrees.find(workspace.repository, Path(task.worktree)) if task.worktree else None
    if worktree is not None:
        ref = naming.rescue_ref(task.id)
        worktrees.remove(workspace.repository, worktree, ref, f"uncommitted files of {task.id}")


def _empty_trash(workspace: Workspace) -> None:
    """Remove the logs of earlier clean-ups: an undo can restore logs only until the next clean-up."""
    if (trash := workspace.folder / "trash").exists():
        shutil.rmtree(trash)


def _trash(workspace: Workspace, tasks: Sequence[Task], stamp: str) -> list[RefUpdate]:
    """Return the moves that delete branches and keep their commits; adopted branches are not touched."""
    owned = [task for task in tasks if task.branch and not _is_foreign(workspace, task)]
    branches = {branch_ref(task.branch): task for task in owned}
    tips = workspace.repository.refs(*branches) if branches else {}
    saved = [RefUpdate(naming.trash_ref(branches[ref].id, stamp), tip, None) for ref, tip in tips.items()]
    return [*saved, *(RefUpdate(ref, None, tip) for ref, tip in tips.items())]


def _is_foreign(workspace: Workspace, task: Task) -> bool:
    return task.adopted and task.branch != workspace.config.branch_of(task.id)
