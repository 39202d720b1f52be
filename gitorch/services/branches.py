"""Find the integration branch and the other branches that belong to gitorch."""

from __future__ import annotations

from collections.abc import Mapping

from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.git.repository import Repository
from gitorch.git.worktree_list import place_of
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import Task
from gitorch.services.workspace import Workspace


def integration_tip(workspace: Workspace) -> Oid | None:
    """Return the tip of the integration branch; None before the first merge."""
    return workspace.repository.read_ref(branch_ref(workspace.config.integration))


def is_own_branch(config: Config, tasks: Mapping[TaskId, Task], branch: str) -> bool:
    """Return whether a branch is gitorch's own: integration, candidate, a task branch, or one with its prefix."""
    reserved = bool(config.prefix) and branch.startswith(config.prefix)
    return reserved or branch in (config.integration, config.candidate) or _is_task_branch(tasks, branch)


def _is_task_branch(tasks: Mapping[TaskId, Task], branch: str) -> bool:
    return any(task.branch == branch and not task.adopted for task in tasks.values())


def own_refs(workspace: Workspace) -> tuple[str, ...]:
    """Return the refs that a run may move; a name with a trailing slash stands for all refs below it."""
    config = workspace.config
    branches = [branch_ref(task.branch) for task in workspace.tasks.values() if task.branch]
    task_refs = [f"refs/heads/{config.prefix}"] if config.prefix.endswith("/") else branches
    return (*task_refs, branch_ref(config.integration), branch_ref(config.candidate))


def refuse_checked_out(repository: Repository, branch: str) -> None:
    """Raise `Refused` if a worktree has this branch checked out: moving it would make that worktree look dirty."""
    if path := place_of(repository, branch_ref(branch)):
        raise Refused("checked-out", f"{branch} is checked out in {path}", fix=(f"git -C {path} switch -",))
