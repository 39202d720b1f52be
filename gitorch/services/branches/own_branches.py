"""Find the integration branch and the other branches that belong to gitorch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktree_list import place_of
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace


def integration_tip(workspace: Workspace) -> Oid | None:
    """Return the tip of the integration branch; None before the first merge."""
    return workspace.repository.read_ref(branch_ref(workspace.config.integration))


def on_kept_branches(workspace: Workspace, commits: Collection[Oid]) -> set[Oid]:
    """Return those of these commits that are on the integration branch, or on a user branch or tag."""
    repository, integration = workspace.repository, integration_tip(workspace)
    existing = {oid for oid in repository.object_ids(*commits) if oid}
    if not existing:
        return set()
    user_refs = (f"--exclude={workspace.config.prefix}*", "--branches", "--remotes", "--tags")
    bounds = ("--not", *user_refs, *([integration] if integration else ()))
    request = "".join(f"{commit}\n" for commit in existing).encode()
    return existing - {*map(Oid, repository.git("rev-list", "--stdin", *bounds, input=request).text.split())}


class WithdrawnWork(msgspec.Struct, frozen=True):
    """Merged tasks whose commits are on no branch any more, and the command that brings them back if there is one."""

    commits: Mapping[TaskId, Oid] = {}
    fix: str = ""


def withdrawn_work(workspace: Workspace, tasks: Iterable[Task], tip: Oid | None) -> WithdrawnWork:
    """Return which merged tasks are neither in the integration branch, at `tip`, nor in a user branch.

    Somebody moved the branch, and not gitorch.
    """
    merged = {task.id: task.merged_as for task in tasks if task.state is State.MERGED and task.merged_as}
    try:
        present = on_kept_branches(workspace, merged.values()) if merged else set()
    except GitFailed:  # a broken ref; a board without this is better than none
        return WithdrawnWork()
    withdrawn = {task: commit for task, commit in merged.items() if commit not in present}
    if not withdrawn:
        return WithdrawnWork()
    repository, name = workspace.repository, workspace.config.integration
    order = repository.git("rev-list", "--ignore-missing", "--topo-order", "--no-walk=sorted", *withdrawn.values())
    newest = next(map(Oid, order.text.split()), None)
    if newest is None or (tip is not None and not repository.is_ancestor(tip, newest)):
        return WithdrawnWork(withdrawn)
    return WithdrawnWork(withdrawn, f"git branch -f {name} {newest[:12]}")


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
