"""The base of a merge: the integration branch, and the branch that it started from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.flow import merge
from gitorch.flow.merge import Blocked, MergePlan, MergeTarget, NotRebased, Rebased
from gitorch.flow.merge.planning.candidate import MergeBase
from gitorch.flow.scheduling import base_choice
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.model.visible import readable_list
from gitorch.replay import Conflicted, Replayed, Replayer
from gitorch.services.branches.own_branches import is_own_branch
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic, operations, sizes
from gitorch.storage.atomic import replace
from gitorch.storage.operations import OperationLog, StateChange

_TO_MERGE = (State.FINISHED, State.APPROVED, State.CONFLICTED, State.MERGED)


class MergeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a merge plan, read at one moment; background threads can share them.

    `merge_base` holds the tips of the integration branch and its base, `base_name` is the base branch (empty if
    unknown), `candidate_tip` the tip of the candidate branch, and `log` the operations so far.
    """

    repository: Repository
    config: Config
    tasks: Mapping[TaskId, Task]
    merge_base: MergeBase
    base_name: str
    candidate_tip: Oid | None
    log: OperationLog


def merge_inputs(workspace: Workspace) -> MergeInputs:
    """Read the current inputs of a merge."""
    return read_inputs(workspace.repository, workspace.config, workspace.folder, dict(workspace.tasks))


def read_inputs(repository: Repository, config: Config, folder: Path, tasks: Mapping[TaskId, Task]) -> MergeInputs:
    """Read the refs that a merge of these tasks depends on.

    `folder` is the state folder of the repository.
    """
    name = _base_name(config, folder)
    refs = [branch_ref(config.integration), branch_ref(config.candidate)]
    base_commit = [f"{repository.full_name(name)}^{{commit}}"] if name else []
    integration, candidate, *commits = repository.object_ids(*refs, *base_commit)
    if integration is None:
        branch = _queued_on(repository, tasks)
        merge_base: MergeBase = (None, base_choice.start_commit(repository, config, branch=branch))
    else:
        merge_base = (integration, commits[0] if commits else None)
    return MergeInputs(
        repository=repository,
        config=config,
        tasks=tasks,
        merge_base=merge_base,
        base_name=name,
        candidate_tip=candidate,
        log=OperationLog(folder / operations.FILE),
    )


def target_inputs(workspace: Workspace, integration: Oid | None, target: MergeTarget) -> MergeInputs:
    """Return the inputs of a merge whose base is its target branch."""
    return MergeInputs(
        repository=workspace.repository,
        config=workspace.config,
        tasks=dict(workspace.tasks),
        merge_base=(integration, target.before),
        base_name=target.branch,
        candidate_tip=None,
        log=workspace.operations,
    )


def rebase_integration(
    inputs: MergeInputs, replayer: Replayer, target: MergeTarget | None
) -> Rebased | NotRebased | None:
    """Replay the integration branch on its base if that moved on.

    Raises `Refused` if it cannot be replayed on the target branch.
    """
    integration, base_tip = inputs.merge_base
    if integration is None or base_tip is None:
        return None
    branch, name = inputs.base_name, inputs.config.integration
    full_name = inputs.repository.full_name(branch)
    result = merge.rebase(
        replayer,
        integration,
        branch,
        base_tip,
        lambda other: _is_rewritable(inputs, other),
        lambda tip: inputs.log.is_taken_back(Ref(full_name), tip),
    )
    if target is not None and isinstance(result, merge.NotRebased):
        commits = "1 commit" if result.ahead == 1 else f"{result.ahead} commits"
        move = f"moved on by {commits}" if result.ahead else "was reset"
        raise Refused(
            "into-diverged",
            f"{branch} {move}, and {name} cannot be replayed on it",
            why=result.reason,
            fix=(f"git switch {branch} && git merge {name}",),
        )
    return result


def record_base(workspace: Workspace, plan: MergePlan) -> None:
    """Record the branch that a new integration branch starts on."""
    if plan.before is None and workspace.config.base == "auto":
        branch, commit = workspace.repository.head()
        if queued_on := _queued_on(workspace.repository, workspace.tasks):
            branch = branch_ref(queued_on)
            commit = workspace.repository.read_ref(branch)
        if branch is not None and commit == plan.onto:
            replace(_base_file(workspace.folder), branch.removeprefix("refs/heads/").encode())
            sizes.note(workspace.folder, _base_file(workspace.folder))


def blocked_by_base(integration: str, plan: MergePlan, tasks: Sequence[Task]) -> tuple[Blocked, ...]:
    """Return the tasks of a plan as blocked, because the integration branch conflicts with its base."""
    assert isinstance(plan.rebased, merge.Rebased)
    assert isinstance(plan.rebased.replayed, Conflicted)
    paths = readable_list(plan.rebased.replayed.paths)
    reason = f"{integration} conflicts in {paths} with {plan.rebased.branch}, which moved on"
    return tuple(Blocked(task, reason) for task in tasks)


def merged_commit_changes(workspace: Workspace, plan: MergePlan) -> list[StateChange]:
    """Return the new commits of merged tasks, if the integration branch is replayed."""
    if not isinstance(plan.rebased, merge.Rebased) or not isinstance(plan.rebased.replayed, Replayed):
        return []
    new: Mapping[Oid | None, Oid] = dict(plan.rebased.replayed.pairs)
    merged = [(task, task.merged_as) for task in workspace.tasks.values() if task.state is State.MERGED]
    return [StateChange(task.id, task.state, task.state, new[old], task.reason) for task, old in merged if old in new]


def _is_rewritable(inputs: MergeInputs, branch: str) -> bool:
    """Return whether a branch is gitorch's own or adopted: its merged commits may be rewritten."""
    is_task = any(task.branch == branch for task in inputs.tasks.values())
    return is_own_branch(inputs.config, inputs.tasks, branch) or is_task


def _queued_on(repository: Repository, tasks: Mapping[TaskId, Task]) -> str:
    """Return the branch on which all tasks with work were queued; empty if there are several, or it is gone."""
    worked = (task for task in tasks.values() if task.commits and not task.spec.base_ref)
    names = {task.spec.base_branch for task in worked if task.state in _TO_MERGE and task.spec.base_branch}
    name = names.pop() if len(names) == 1 else ""
    return name if name and repository.read_ref(branch_ref(name)) is not None else ""


def _base_name(config: Config, folder: Path) -> str:
    """Return the branch that the integration branch is based on; empty if unknown.

    With `base = "auto"` it is the branch that the integration branch was started on, not the user's current branch.
    """
    name, file = config.base, _base_file(folder)
    if name == "auto":
        name = atomic.read_or_empty(file).decode("utf-8", "backslashreplace")
    return name if name.isprintable() and name != "HEAD" else ""


def _base_file(folder: Path) -> Path:
    return folder / "base"
