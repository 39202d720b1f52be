"""The merge order: by dependency, priority and age, unless another order of conflicting tasks lets more tasks in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.values import MergeConflict, MergePlan
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id

_REPLAYS_PER_TASK = 2
_EXTRA_REPLAYS = 100
"""How many replays other orders may cost: a few for each task, so that the time grows linearly."""


def best_plan(planner: MergePlanner, tasks: Sequence[Task]) -> MergePlan:
    """Return the plan of the order that lets the most tasks in; among equal ones, the plan of the given order.

    Both orders of each conflicting pair are tried, with only the tasks that the order can affect. The result is
    deterministic.
    """
    plan = planner.plan_order(tasks)
    if not plan.conflicts:
        return plan
    order = _improve_order(planner, tasks, plan)
    if order == list(tasks):
        return plan
    alternative = planner.plan_order(order)
    return alternative if len(alternative.steps) > len(plan.steps) else plan


def _improve_order(planner: MergePlanner, tasks: Sequence[Task], plan: MergePlan) -> list[Task]:
    """Return the order with each conflicting pair swapped if that lets more tasks in."""
    order = list(tasks)
    limit = planner.replays + _REPLAYS_PER_TASK * len(tasks) + _EXTRA_REPLAYS
    for number, conflict in enumerate(plan.conflicts):
        planner.report("other orders", number, len(plan.conflicts), conflict.task)
        related = related_tasks(conflict, order, planner.paths)
        count = planner.count(related)
        for swapped in _swaps(conflict, related):
            if planner.replays > limit:
                return order
            if planner.count(swapped) > count:
                order = _reorder(order, swapped)
                break
    return order


def _swaps(conflict: MergeConflict, related: Sequence[Task]) -> Iterator[list[Task]]:
    """Yield the orders in which the conflicting task and its dependencies go before one of its partners."""
    tasks = by_id(related)
    early = graph.closure([conflict.task.id], tasks)
    for partner in conflict.partners:
        if partner in tasks and partner not in early:
            start = [task.id for task in related].index(partner)
            moving = [task for task in related[start:] if task.id in early]
            staying = [task for task in related[start:] if task.id not in early]
            yield [*related[:start], *moving, *staying]


def related_tasks(
    conflict: MergeConflict, order: Sequence[Task], paths: Mapping[TaskId, Collection[str]]
) -> list[Task]:
    """Return the tasks that the order of a conflicting pair can affect.

    These are all that share paths with, or depend on, or are needed by the pair or another related task.
    """
    related: set[TaskId] = set()
    touched: set[str] = set()
    new = {conflict.task.id, *conflict.partners}
    while new:
        related |= new
        touched.update(path for name in new for path in paths.get(name, ()))
        new = {task.id for task in order if task.id not in related and _is_affected(task, related, touched, paths)}
        new |= {name for task in order if task.id in related for name in task.spec.after if name in paths} - related
    return [task for task in order if task.id in related]


def _is_affected(
    task: Task, related: Collection[TaskId], touched: set[str], paths: Mapping[TaskId, Collection[str]]
) -> bool:
    return any(name in related for name in task.spec.after) or not touched.isdisjoint(paths.get(task.id, ()))


def _reorder(order: Sequence[Task], swapped: Sequence[Task]) -> list[Task]:
    """Return all tasks, with the swapped ones in their new order at the positions that they had."""
    names = {task.id for task in swapped}
    following = iter(swapped)
    return [next(following) if task.id in names else task for task in order]
