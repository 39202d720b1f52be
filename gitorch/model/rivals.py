"""Rival attempts: tasks that ask for the same work. One is picked: the checks decide, then the smallest diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitorch.model.naming import TaskId
from gitorch.model.task import ALIVE, State, Task

_PICKED = frozenset({State.APPROVED, State.MERGED})
_CHECKS = {True: 0, None: 1, False: 2}


def rivals_of(task: Task, tasks: Iterable[Task]) -> list[Task]:
    """Return all rivals of a task's group, itself among them, by number; none for a task without rivals."""
    if task.spec.rival is None:
        return []
    group = task.spec.rival.group
    members = [other for other in tasks if other.spec.rival is not None and other.spec.rival.group == group]
    return sorted(members, key=number_of)


def number_of(task: Task) -> int:
    """Return a rival's number in its group; 0 for a task without rivals."""
    return task.spec.rival.number if task.spec.rival else 0


def is_decided(group: Iterable[Task]) -> bool:
    """Return whether one rival of a group was picked: it is approved or merged."""
    return any(task.state in _PICKED for task in group)


def at_work(group: Iterable[Task]) -> list[Task]:
    """Return the rivals that have not ended."""
    return [task for task in group if task.state in ALIVE]


def proposal(group: Iterable[Task]) -> Task | None:
    """Return the rival that the referee proposes; None if none is finished, or the checks of all of them fail.

    One whose checks pass comes before one without checks; then the smallest diff decides, then the lowest number.
    """
    finished = [task for task in group if task.state is State.FINISHED and task.tip and task.passed is not False]
    return min(finished, key=_rank, default=None)


def verdict_of(task: Task, group: Iterable[Task]) -> str:
    """Return what the referee says of one rival of a group that is not decided, in words."""
    members = [*group]
    proposed = proposal(members)
    if proposed is None:
        return "checks failed" if task.passed is False else ""
    if proposed.id != task.id:
        return f"rival {number_of(proposed)} is proposed"
    unfinished = at_work(members)
    if unfinished:
        return f"proposed so far: {len(unfinished)} still at work"
    return f"proposed: {reason}" if (reason := _reason(task)) else "proposed"


def contenders(tasks: Mapping[TaskId, Task]) -> dict[TaskId, Task]:
    """Return the tasks without the rivals that would not be taken: of each open group one stays.

    That is the proposed one, or the first while none is.
    """
    dropped: set[TaskId] = set()
    for task in tasks.values():
        if task.spec.rival is None or task.id in dropped:
            continue
        group = rivals_of(task, tasks.values())
        if not is_decided(group):
            keep = proposal(group) or group[0]
            dropped |= {other.id for other in group if other.id != keep.id}
    return {name: task for name, task in tasks.items() if name not in dropped}


def lines_changed(task: Task) -> int | None:
    """Return the size of a rival's diff, when its last attempt ended; None where that is unknown."""
    return task.attempt.diff_lines if task.attempt else None


def _rank(task: Task) -> tuple[int, float, int]:
    lines = lines_changed(task)
    return _CHECKS[task.passed], float("inf") if lines is None else lines, number_of(task)


def _reason(task: Task) -> str:
    # that there are no checks is said wherever a task is shown
    checks = "checks passed" if task.passed else ""
    lines = lines_changed(task)
    size = "" if lines is None else f"{lines} line{'s' if lines != 1 else ''}"
    return ", ".join(filter(None, (checks, size)))
