"""Turn what a search for resolutions found into a plan: what goes in with them, and what still does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.resolution.landing import Landing
from gitorch.flow.merge.values import Blocked, MergeConflict, MergePlan
from gitorch.model.naming import TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import Task
from gitorch.replay import Conflicted


def resolved_plan(
    planner: MergePlanner, plan: MergePlan, landing: Landing, unproven: Mapping[TaskId, Resolution]
) -> MergePlan:
    """Return the plan that publishes proven resolutions; `resolutions` also has those that are not proven."""
    still_open = [resolution for name, resolution in unproven.items() if name not in landing.names]
    earlier = [entry for entry in plan.resolutions if entry.proven and entry.task in landing.names]
    resolutions = (*earlier, *landing.resolutions, *still_open)
    if not landing.resolutions:
        return msgspec.structs.replace(plan, resolutions=resolutions)
    outside = [*_outside(planner, plan, landing)]
    return msgspec.structs.replace(
        plan,
        steps=landing.steps,
        conflicts=tuple(entry for entry in outside if isinstance(entry, MergeConflict)),
        blocked=tuple(entry for entry in outside if isinstance(entry, Blocked)),
        results=landing.results,
        resolutions=resolutions,
    )


def _outside(planner: MergePlanner, plan: MergePlan, landing: Landing) -> Iterator[MergeConflict | Blocked]:
    """Yield what keeps each of the other tasks out, in merge order."""
    conflicts = {conflict.task.id: conflict for conflict in plan.conflicts}
    failed = {failure.task.id for failure in plan.failures}
    blocked = {entry.task.id: entry for entry in plan.blocked}
    for task in plan.order or [step.task for step in plan.steps]:
        if task.id in landing.names or task.id in failed:
            continue
        if task.id in conflicts:
            yield conflicts[task.id]
        else:
            yield blocked.get(task.id) or _why_out(planner, task, landing)


def _why_out(planner: MergePlanner, task: Task, landing: Landing) -> MergeConflict | Blocked:
    """Return why a task that would go in by text does not go in with the resolutions: the others are more."""
    tried = planner.try_on(task, landing.names, landing.tips, landing.tip)
    if isinstance(tried, Blocked):
        return tried
    if isinstance(tried, Conflicted):
        partners = [step.task.id for step in landing.steps if not step.paths.isdisjoint(tried.paths)]
        return MergeConflict(task=task, paths=tried.paths, partners=tuple(partners), conflict=tried)
    return Blocked(task, "a check fails on it with the resolutions that go in")
