"""Find tasks that repair a base which fails its checks: a red base must not hold the branch that makes it green."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import msgspec

from gitorch.flow.merge.check_runner import CheckRunner, TaskUnion
from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.values import MergePlan, Progress
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task, by_id

_MAX_TASKS = 16
"""How many tasks are tried: those whose own checks pass first, as their branches start on the red base as well."""


def find_repair(
    planner: MergePlanner, runner: CheckRunner, plan: MergePlan
) -> Generator[Progress, None, MergePlan | None]:
    """Return the plan of the first task that is green on a red base, with what it builds on; None if there is none."""
    tasks = by_id(plan.order or [step.task for step in plan.steps])
    candidates = [step.task for step in plan.steps if step.task.passed is not False]
    candidates.sort(key=lambda task: task.passed is not True)
    for start in range(0, min(len(candidates), _MAX_TASKS), runner.width):
        repairs = [_plan_alone(planner, task, tasks) for task in candidates[start : start + runner.width]]
        usable = [repair for repair in repairs if repair is not None]
        unions = [TaskUnion(repair.tip, tuple(step.task.id for step in repair.steps)) for repair in usable]
        greens = yield from runner.run(unions, "find what repairs the base")
        if any(greens):
            return usable[greens.index(True)]
    return None


def _plan_alone(planner: MergePlanner, task: Task, tasks: Mapping[TaskId, Task]) -> MergePlan | None:
    needed = graph.closure([task.id], tasks)
    order = [other for name, other in tasks.items() if name in needed]
    alone = planner.plan_order(order)
    return alone if len(alone.steps) == len(order) else None


def plan_on_top(planner: MergePlanner, plan: MergePlan, repair: MergePlan) -> tuple[MergePlanner, MergePlan]:
    """Return a planner whose base is a repaired one, and the plan of the other tasks on it."""
    repairing = {step.task.id for step in repair.steps}
    merged = {task.id: msgspec.structs.replace(task, state=State.MERGED) for task in planner.tasks.values()}
    tasks = {name: merged[name] if name in repairing else task for name, task in planner.tasks.items()}
    above = MergePlanner(planner.replayer, tasks, planner.before, repair.tip)
    others = [task for task in plan.order or [step.task for step in plan.steps] if task.id not in repairing]
    above.read(others)
    return above, msgspec.structs.replace(above.plan_order(others), verify=plan.verify)


def combine(plan: MergePlan, repair: MergePlan, above: MergePlan) -> MergePlan:
    """Return one plan: the tasks that repair the base, and what is green on top of them."""
    return msgspec.structs.replace(
        plan,
        steps=(*repair.steps, *above.steps),
        conflicts=above.conflicts,
        blocked=above.blocked,
        failures=above.failures,
        results=above.results,
        red_base="",
    )
