"""The order of a merge: by dependency, priority and age; where two tasks clash, the order that lets more go in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gitorch.flow.merge.plan import Planner
from gitorch.flow.merge.values import Clash, Plan
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id

_TRIALS_EACH = 2
_TRIALS_MORE = 100
"""How many replays may go into trying other orders: a few for each task, so that the time stays in proportion."""


def best(planner: Planner, chosen: Sequence[Task]) -> Plan:
    """Return the plan of the order that lets most tasks go in; of equal ones, that by priority and age.

    Both orders of each clashing pair are tried, among the tasks that can feel the difference. The same tasks give
    the same order always.
    """
    found = planner.lay(chosen)
    if not found.clashes:
        return found
    order = _tried(planner, chosen, found)
    if order == list(chosen):
        return found
    other = planner.lay(order)
    return other if len(other.steps) > len(found.steps) else found


def _tried(planner: Planner, chosen: Sequence[Task], found: Plan) -> list[Task]:
    """Return the order with each clashing pair the other way round where that lets more go in."""
    order = list(chosen)
    limit = planner.replays + _TRIALS_EACH * len(chosen) + _TRIALS_MORE
    for at, clash in enumerate(found.clashes):
        planner.say("other orders", at, len(found.clashes), clash.task)
        near = _near(clash, order, planner.paths)
        inside = planner.count(near)
        for swapped in _swaps(clash, near):
            if planner.replays > limit:
                return order
            if planner.count(swapped) > inside:
                order = _placed(order, swapped)
                break
    return order


def _swaps(clash: Clash, near: Sequence[Task]) -> Iterator[list[Task]]:
    """Yield the orders in which the clashing task, with what it builds on, goes before one of its partners."""
    tasks = by_id(near)
    early = graph.closure([clash.task.id], tasks)
    for partner in clash.partners:
        if partner in tasks and partner not in early:
            place = [task.id for task in near].index(partner)
            moved = [task for task in near[place:] if task.id in early]
            rest = [task for task in near[place:] if task.id not in early]
            yield [*near[:place], *moved, *rest]


def _near(clash: Clash, order: Sequence[Task], paths: Mapping[TaskId, Collection[str]]) -> list[Task]:
    """Return the tasks that can feel the order of a clashing pair: those that share paths or build on each other."""
    reached: set[TaskId] = set()
    touched: set[str] = set()
    fresh = {clash.task.id, *clash.partners}
    while fresh:
        reached |= fresh
        touched.update(path for name in fresh for path in paths.get(name, ()))
        fresh = {task.id for task in order if task.id not in reached and _feels(task, reached, touched, paths)}
        fresh |= {name for task in order if task.id in reached for name in task.spec.after if name in paths} - reached
    return [task for task in order if task.id in reached]


def _feels(task: Task, reached: Collection[TaskId], touched: set[str], paths: Mapping[TaskId, Collection[str]]) -> bool:
    return any(name in reached for name in task.spec.after) or not touched.isdisjoint(paths.get(task.id, ()))


def _placed(order: Sequence[Task], near: Sequence[Task]) -> list[Task]:
    """Return the whole order with these tasks in their new order, in the places that they had."""
    names = {task.id for task in near}
    following = iter(near)
    return [next(following) if task.id in names else task for task in order]
