"""`merge.auto`: which tasks a run merges automatically, and who approved them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gitorch.flow.merge import MergePlan
from gitorch.model import note
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task

APPROVER = "merge.auto"
"""Who approved what a run merged automatically."""


def mergeable(tasks: Iterable[Task], policy: str, approved_before: Collection[TaskId]) -> list[Task]:
    """Return the tasks that a run may merge.

    With the policy `approved` these are the ones that a person approved during the run; with `finished` all that is
    approved, and what is finished with green checks.
    """
    fresh = [task for task in tasks if not task.stale]
    if policy == "approved":
        return [task for task in fresh if task.state is State.APPROVED and task.id not in approved_before]
    return [task for task in fresh if task.state is State.APPROVED or _is_green(task)]


def verdict_lines(plan: MergePlan) -> dict[Oid, list[note.Line]]:
    """Return the notes that say who approved what no person has seen."""
    finished = [step for step in plan.steps if step.task.state is State.FINISHED and step.replayed.pairs]
    return {step.replayed.tip: [note.verdict_line(step.task, "approve", APPROVER)] for step in finished}


def _is_green(task: Task) -> bool:
    return task.state is State.FINISHED and task.passed is True
