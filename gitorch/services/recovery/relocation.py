"""Follow a repository that was moved, renamed or copied, and worktrees that were moved by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from gitorch.git.worktree_list import find
from gitorch.git.worktrees import linked_worktrees, relocated
from gitorch.git.worktrees.relocated import Relocation
from gitorch.model.naming import Ref, branch_ref
from gitorch.model.task import Task
from gitorch.rooms.paths import worktree_path
from gitorch.services.run_lock import is_running
from gitorch.services.workspace import Workspace


def notice(workspace: Workspace) -> None:
    """Repair the links of a repository that is not where it was, and say so; record where a new one is.

    Nothing is done while a run is active. What cannot be written now is written by a later command.
    """
    repository = workspace.repository
    relocation = relocated.find(repository)
    try:
        if relocation is None:
            relocated.record(repository)
        elif not is_running(workspace):
            with linked_worktrees.lock(repository):
                if (relocation := relocated.find(repository)) is not None:  # no other command has repaired it
                    workspace.store.notices.append(_repair(workspace, relocation))
                    relocated.record(repository)
    except OSError as error:
        if relocation is not None:
            what = f"the repository was moved from {relocation.old}, and its worktrees cannot be repaired"
            workspace.store.notices.append(f"{what}: {error.strerror}")


def _repair(workspace: Workspace, relocation: Relocation) -> str:
    relinked = relocated.relink(workspace.repository, relocation, partial(_places, workspace))
    changed = []
    for linked in relinked:
        for task in _tasks_of(workspace, linked.old, linked.branch):
            place = linked.path
            if place is None and relocation.is_copy:
                place = worktree_path(workspace.repository, workspace.config, task.id)
            if place is not None and str(place) != task.worktree:
                changed.append(_moved(task, place))
    if changed:
        workspace.store.save(changed)
    repaired = sum(linked.path is not None for linked in relinked)
    summary = f"repaired the links of {repaired} worktree{'' if repaired == 1 else 's'}"
    if not relocation.is_copy:
        return f"the repository was moved here from {relocation.old}: {summary}"
    separate = "the worktrees of the original are left alone, and attempts here get their own"
    return f"the repository is a copy of {relocation.old}: {summary if repaired else separate}"


def _places(workspace: Workspace, old: Path, branch: Ref) -> Iterator[Path]:
    """Yield where the worktree of a task belongs now."""
    for task in _tasks_of(workspace, old, branch):
        yield worktree_path(workspace.repository, workspace.config, task.id)


def _tasks_of(workspace: Workspace, old: Path, branch: Ref) -> list[Task]:
    """Return the tasks that have a worktree at this path, or, if it goes through links, with this branch."""
    tasks = [task for task in workspace.tasks.values() if task.worktree]
    return [task for task in tasks if task.worktree == str(old) or branch_ref(task.branch) == branch]


def follow_worktrees(workspace: Workspace) -> None:
    """Find the worktrees of tasks that are not where they were: moved with git, or by hand to where they belong now."""
    missing = [task for task in workspace.tasks.values() if task.worktree and not os.path.lexists(task.worktree)]
    if not missing:
        return
    repository = workspace.repository
    checkouts = linked_worktrees.checked_out(repository)
    relinked = []
    with linked_worktrees.lock(repository):
        for task in missing:
            path = checkouts.get(branch_ref(task.branch)) if task.branch else None
            if path is None or find(repository, path) is None:
                path = worktree_path(repository, workspace.config, task.id)
                if not relocated.relink_moved(repository, Path(task.worktree), path):
                    continue
            relinked.append(_moved(task, path))
    if relinked:
        workspace.store.save(relinked)
        workspace.store.notices.append(
            f"worktrees were moved, and are linked again: {', '.join(t.id for t in relinked)}"
        )


def _moved(task: Task, path: Path) -> Task:
    return msgspec.structs.replace(task, worktree=str(path))
