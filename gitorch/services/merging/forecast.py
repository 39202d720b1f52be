"""Forecast which branches in flight will conflict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gitorch.flow import forecast
from gitorch.flow.forecast import pairs
from gitorch.flow.forecast.pairs import Branch, MergeCache
from gitorch.flow.scheduling import base_choice
from gitorch.git.exchange.attempts import attempts_folder, last_rescue
from gitorch.git.repository import Repository
from gitorch.git.tree_size import comparison_problem
from gitorch.git.worktrees import linked_worktrees
from gitorch.model import naming, rivals
from gitorch.model.forecasts.conflict_forecast import IN_FLIGHT, Conflict, Forecast
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import Phase, State, Task
from gitorch.replay import Replayer
from gitorch.services.merging.forecast_record import last_forecast, save_forecast
from gitorch.services.merging.merge_base import MergeInputs, merge_inputs
from gitorch.services.workspace import Workspace


def update_forecast(workspace: Workspace, replayer: Replayer) -> tuple[Conflict, ...]:
    """Forecast the conflicts of all branches in flight, and save the forecast."""
    forecast = make_forecast(merge_inputs(workspace), replayer, last=last_forecast(workspace))
    save_forecast(workspace, forecast)
    return forecast.conflicts


def make_forecast(
    inputs: MergeInputs,
    replayer: Replayer,
    cache: MergeCache | None = None,
    clean: Collection[TaskId] = (),
    refs: Mapping[Ref, Oid] | None = None,
    last: Forecast | None = None,
) -> Forecast:
    """Merge the branches in flight in memory, and return the conflicts.

    `cache` holds the results of earlier merges. `clean` are the running tasks without uncommitted work. `refs` are
    those of `in_flight_refs`, where they were read already. What the `last` forecast says of names holds as long as no
    branch moves.
    """
    onto = inputs.merge_base[0] or base_choice.start_commit(inputs.repository, inputs.config)
    branches = _branches_in_flight(inputs, in_flight_refs(inputs) if refs is None else refs, clean)
    conflicts = pairs.forecast(replayer, branches, onto, cache)
    tips = {branch.task: branch.tip for branch in branches}
    is_same = last is not None and last.tips == tips
    removed = (
        last.removed_names
        if last and is_same
        else forecast.removed_names.find_removed_names(inputs.repository, branches)
    )
    return Forecast(created=datetime.now(UTC), onto=onto, tips=tips, conflicts=conflicts, removed_names=removed)


def in_flight_refs(inputs: MergeInputs) -> dict[Ref, Oid]:
    """Return the refs that a forecast depends on: the branches of tasks, and their rescue points, also of workers."""
    elsewhere = [attempts_folder(task.id) for task in inputs.tasks.values() if _is_open(task)]
    return inputs.repository.refs(*_branch_patterns(inputs), f"{naming.OWN_REFS}rescue", *elsewhere)


def inputs_fingerprint(inputs: MergeInputs, refs: Mapping[Ref, Oid]) -> object:
    """Return a value that is equal as long as nothing that the forecast and the candidate depend on has changed."""
    tasks = [(task.id, task.state, task.tip, task.stale) for task in inputs.tasks.values()]
    return inputs.merge_base, refs, tasks


def save_uncommitted(repository: Repository, task: Task) -> Oid | None:
    """Save a running task's uncommitted work as a rescue point; return None if there is none.

    Worktree, index and branch do not change.
    """
    worktree = linked_worktrees.find(repository, Path(task.worktree)) if task.worktree else None
    if worktree is None or task.attempt is None or task.attempt.phase is not Phase.WORKING:
        return None
    return linked_worktrees.rescue(repository, worktree, naming.rescue_ref(task.id), f"uncommitted work of {task.id}")


def _branches_in_flight(inputs: MergeInputs, refs: Mapping[Ref, Oid], clean: Collection[TaskId]) -> list[Branch]:
    """Return the current tips of the branches in flight, including the uncommitted work of running tasks."""
    contenders = rivals.contenders(inputs.tasks).values()
    tasks = [task for task in contenders if task.state in IN_FLIGHT and task.base and task.branch]
    tips = {task.id: tip for task in tasks if (tip := refs.get(branch_ref(task.branch)))}
    # without a sandbox, an agent can make any branch point at an object that is missing or is no commit
    present = inputs.repository.object_ids(*(f"{tip}^{{commit}}" for tip in tips.values()))
    tips = {name: tip for (name, tip), commit in zip(tips.items(), present, strict=True) if commit}
    # a commit that has not been collected may be too large to compare
    uncollected = {task.id: task.base for task in tasks if tips.get(task.id) not in (None, task.base, task.tip)}
    too_large = {
        name
        for name, start in uncollected.items()
        if start and comparison_problem(inputs.repository, start, tips[name])
    }
    tips = {name: tip for name, tip in tips.items() if name not in too_large}
    unsaved = [task.id for task in tasks if _is_open(task) and task.id in tips and task.id not in clean]
    saved = {name: refs[ref] for name in unsaved if (ref := naming.rescue_ref(name)) in refs}
    for name, commit in zip(saved, inputs.repository.commits(saved.values()), strict=True):
        if commit.parents[-1:] == (tips[name],):  # an older rescue point holds work that has been committed since
            tips[name] = commit.oid
    tips |= _at_work_elsewhere(inputs.repository, refs, [task for task in tasks if _is_open(task)], tips)
    return [Branch(task.id, task.base, tips[task.id]) for task in tasks if task.base and task.id in tips]


def _at_work_elsewhere(
    repository: Repository, refs: Mapping[Ref, Oid], tasks: Sequence[Task], tips: Mapping[TaskId, Oid]
) -> dict[TaskId, Oid]:
    """Return the rescue points of agents that work on workers now, where these build on the branch."""
    found = {}
    for task in tasks:
        tip = tips.get(task.id)
        saved = last_rescue(repository, refs, task.id) if tip else None
        if tip is None or saved is None or task.base is None or not repository.is_ancestor(tip, saved):
            continue
        if not comparison_problem(repository, task.base, saved):
            found[task.id] = saved
    return found


def _branch_patterns(inputs: MergeInputs) -> list[str]:
    """Return the patterns of all task branches: under the prefix, and adopted ones."""
    prefix = inputs.config.prefix
    other = [task.branch for task in inputs.tasks.values() if task.branch and not task.branch.startswith(prefix)]
    return [f"refs/heads/{prefix}{'' if prefix.endswith('/') else '**'}", *map(branch_ref, other)]


def _is_open(task: Task) -> bool:
    return task.state in (State.RUNNING, State.WAITING)
