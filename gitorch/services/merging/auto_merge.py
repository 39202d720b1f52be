"""Select the tasks that a run merges automatically (`merge.auto`), and note their approval."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gitorch.flow.merge import MergePlan
from gitorch.model import note
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task

APPROVER = "merge.auto"
"""The name that approves automatically merged tasks in notes."""


def mergeable(tasks: Iterable[Task], policy: str, approved_before: Collection[TaskId]) -> list[Task]:
    """Return the tasks that a run may merge.

    With the policy `approved` these are the tasks approved during the run; with `finished` all approved tasks, and
    finished ones whose checks pass.
    """
    current = [task for task in tasks if not task.stale]
    if policy == "approved":
        return [task for task in current if task.state is State.APPROVED and task.id not in approved_before]
    return [task for task in current if task.state is State.APPROVED or _is_green(task)]


def verdict_lines(plan: MergePlan) -> dict[Oid, list[note.Line]]:
    """Return the notes that approve tasks which no person has reviewed."""
    finished = [step for step in plan.steps if step.task.state is State.FINISHED and step.replayed.pairs]
    return {step.replayed.tip: [note.verdict_line(step.task, "approve", APPROVER)] for step in finished}


def _is_green(task: Task) -> bool:
    # of rivals, a person picks one
    return task.state is State.FINISHED and task.passed is True and task.spec.rival is None
