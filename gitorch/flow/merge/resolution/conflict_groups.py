"""Split the tasks of a merge into groups that conflicts tie together, and order each for the search of resolutions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gitorch.flow.merge.planning.order import related_tasks
from gitorch.flow.merge.values import MergePlan
from gitorch.model.naming import TaskId
from gitorch.model.task import Priority, Task


def conflict_groups(plan: MergePlan, paths: Mapping[TaskId, Collection[str]], max_tasks: int) -> list[list[Task]]:
    """Return the groups of tasks that share paths with a conflict, or depend on each other, in merge order.

    Tasks that fail a check belong to none; after the first `max_tasks` in conflict the others are left out.
    """
    failed = {failure.task.id for failure in plan.failures}
    order = [task for task in plan.order if task.id not in failed]
    groups: list[list[Task]] = []
    grouped: set[TaskId] = set()
    for conflict in plan.conflicts[:max_tasks]:
        if conflict.task.id not in grouped and conflict.task.id not in failed:
            group = related_tasks(conflict, order, paths)
            grouped.update(task.id for task in group)
            groups.append(group)
    return groups


def smallest_first(tasks: Sequence[Task], sizes: Mapping[TaskId, int]) -> list[Task]:
    """Return tasks by priority and size, each after those that it builds on: a small change shuts out the fewest."""
    ranks = {priority: rank for rank, priority in enumerate(Priority)}
    waiting = sorted(tasks, key=lambda task: (ranks[task.spec.priority], sizes.get(task.id, 0), task.number))
    names = {task.id for task in tasks}
    ordered: list[Task] = []
    while waiting:
        done = {task.id for task in ordered}
        ready = next(
            (task for task in waiting if all(name in done or name not in names for name in task.spec.after)), waiting[0]
        )
        ordered.append(ready)
        waiting.remove(ready)
    return ordered
