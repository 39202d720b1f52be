"""The graph of a plan: phases, critical path, and lookup of tasks by name."""

from __future__ import annotations

from gitorch.errors import NotFound, there_is
from gitorch.model.naming import TaskId
from gitorch.model.plan.values import PlannedTask, TaskPlan


def phases(plan: TaskPlan) -> tuple[tuple[PlannedTask, ...], ...]:
    """Return the tasks of a valid plan in phases: the tasks of one can run in parallel, after the previous phases."""
    depth: dict[TaskId, int] = {}
    for task in in_order(plan):
        depth[task.id] = 1 + max((depth[name] for name in task.after), default=-1)
    count = max(depth.values(), default=-1) + 1
    return tuple(tuple(task for task in plan.tasks if depth[task.id] == phase) for phase in range(count))


def critical_path(plan: TaskPlan) -> tuple[PlannedTask, ...]:
    """Return the longest chain of dependent tasks by size: a lower bound for the duration of the plan."""
    weight: dict[TaskId, int] = {}
    before: dict[TaskId, TaskId | None] = {}
    for task in in_order(plan):
        longest = max(task.after, key=lambda name: weight[name], default=None)
        before[task.id] = longest
        weight[task.id] = task.size.weight + (weight[longest] if longest else 0)
    chain: list[PlannedTask] = []
    current = max(weight, key=lambda name: weight[name], default=None)
    while current is not None:
        chain.append(plan.by_id[current])
        current = before[current]
    return tuple(reversed(chain))


def in_order(plan: TaskPlan) -> list[PlannedTask]:
    """Sort the tasks of a valid plan topologically, otherwise in plan order."""
    ordered: set[TaskId] = set()
    order: list[PlannedTask] = []
    remaining = list(plan.tasks)
    while remaining:
        ready = [task for task in remaining if ordered.issuperset(task.after)]
        assert ready, "the plan has a cycle"
        order += ready
        ordered.update(task.id for task in ready)
        remaining = [task for task in remaining if task.id not in ordered]
    return order


def find(plan: TaskPlan, name: str) -> PlannedTask:
    """Return the task with this id, unique prefix of an id, or position in the plan (1, 2, ...).

    Raises `NotFound` if no task or more than one matches.
    """
    tasks = plan.by_id
    if name in tasks:
        return tasks[TaskId(name)]
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(plan.tasks):
        return plan.tasks[int(name) - 1]
    matches = [task for task in plan.tasks if name and task.id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotFound("ambiguous", f"{name} can mean {', '.join(task.id for task in matches[:5])}")
    raise NotFound("no-such-task", f"there is no task {name} in the plan", why=there_is(name, tasks))
