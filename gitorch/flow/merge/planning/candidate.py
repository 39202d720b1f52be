"""The merge candidate: all completed work on the integration branch in dependency order, and the tasks left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from gitorch.flow.merge.values import MergePlan
from gitorch.model import graph, rivals
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, ExcludedTask, FailingTask
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task

COMPLETED = frozenset({State.FINISHED, State.APPROVED, State.CONFLICTED})


class CandidateTasks(msgspec.Struct, frozen=True):
    """The completed tasks that may go in, in merge order, and the others, each with its reason."""

    tasks: tuple[Task, ...]
    left_out: tuple[ExcludedTask, ...]


def candidate_tasks(tasks: Mapping[TaskId, Task]) -> CandidateTasks:
    """Return the completed tasks that may go in, and why others may not: stale, or failing their own checks.

    A task that fails alone would hide which tasks fail together. An approved one goes in: a person accepted that it
    fails.
    """
    completed = [task for task in tasks.values() if task.state in COMPLETED]
    contenders = rivals.contenders(tasks)
    reasons = {
        task.id: reason
        for task in completed
        if (reason := _why_not(task) or ("" if task.id in contenders else _OTHER_RIVAL))
    }
    in_order = graph.merge_order(task for task in completed if task.id not in reasons)
    return CandidateTasks(
        tuple(in_order), tuple(ExcludedTask(task=name, reason=reason) for name, reason in reasons.items())
    )


_OTHER_RIVAL = "another of its rivals is proposed"


def _why_not(task: Task) -> str:
    if task.stale:
        return "stale: a task it builds on has changed since"
    if task.state is State.FINISHED and task.passed is False:
        failed = ", ".join(result.name for result in task.results if not result.passed)
        return f"its own checks fail: {failed}"
    return ""


MergeBase = tuple[Oid | None, Oid | None]
"""What a candidate is built on: the tips of the integration branch and of its base."""


def make_candidate(
    plan: MergePlan,
    tree: Oid,
    selection: CandidateTasks,
    merge_base: MergeBase,
    *,
    branch: str,
    before: Oid | None,
    time: datetime,
) -> Candidate:
    """Return the candidate of a plan, before its checks."""
    return Candidate(
        branch=branch,
        tip=plan.tip,
        tree=tree,
        onto=plan.onto,
        before=before,
        created=time,
        tasks=_tips(step.task for step in plan.steps),
        inputs=_tips(selection.tasks),
        merge_base=merge_base,
        left_out=(*selection.left_out, *_left_out(plan)),
        resolutions=plan.resolutions,
    )


def with_resolutions(candidate: Candidate, plan: MergePlan, tree: Oid) -> Candidate:
    """Return a checked candidate that holds what `plan` holds: with its proven resolutions on top."""
    tasks, left_out = _tips(step.task for step in plan.steps), _left_out(plan)
    decided = {*tasks, *(entry.task for entry in left_out)}
    return msgspec.structs.replace(
        candidate,
        tip=plan.tip,
        tree=tree,
        tasks=tasks,
        left_out=(*(entry for entry in candidate.left_out if entry.task not in decided), *left_out),
        results=plan.results,
        resolutions=plan.resolutions,
    )


def _left_out(plan: MergePlan) -> tuple[ExcludedTask, ...]:
    conflicts = (
        ExcludedTask(
            task=conflict.task.id,
            reason=f"conflicts with {', '.join(conflict.partners) or 'merged work'}",
            partners=conflict.partners,
            paths=conflict.paths,
        )
        for conflict in plan.conflicts
    )
    blocked = (ExcludedTask(task=entry.task.id, reason=entry.reason) for entry in plan.blocked)
    return (*conflicts, *blocked)


def _tips(tasks: Iterable[Task]) -> dict[TaskId, Oid]:
    return {task.id: task.tip for task in tasks if task.tip}


def is_current(candidate: Candidate, selection: CandidateTasks, merge_base: MergeBase) -> bool:
    """Return whether a candidate consists of exactly these tasks, on this merge base."""
    return (
        candidate.merge_base == merge_base
        and candidate.inputs == _tips(selection.tasks)
        and candidate.left_out[: len(selection.left_out)] == selection.left_out
    )


def with_results(candidate: Candidate, plan: MergePlan, verified: MergePlan) -> Candidate:
    """Return a candidate with the check results of its tree, and the tasks that make it fail."""
    if verified.red_base:
        reason = f"the integration branch fails {verified.red_base} without any task"
        return msgspec.structs.replace(candidate, status=CheckStatus.RED, reason=reason, results=verified.results)
    is_complete = [step.task.id for step in plan.steps] == [step.task.id for step in verified.steps]
    if is_complete and not verified.failures:
        status = CheckStatus.GREEN if verified.results else CheckStatus.UNCHECKED
        return msgspec.structs.replace(candidate, status=status, results=verified.results)
    red = tuple(
        FailingTask(task=failure.task.id, check=failure.check, partners=failure.partners, alone=failure.alone)
        for failure in verified.failures
    )
    return msgspec.structs.replace(candidate, status=CheckStatus.RED, results=verified.results, red=red)
