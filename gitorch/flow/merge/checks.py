"""The checks of a merge: what stays green goes on, what turns the union red is found and named."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import msgspec

from gitorch.flow.merge.blame import Guilty, left_out
from gitorch.flow.merge.failing_set import Search
from gitorch.flow.merge.plan import Planner
from gitorch.flow.merge.trials import Check, Trials, failing
from gitorch.flow.merge.values import Held, Plan, Progress
from gitorch.model.naming import TaskId
from gitorch.model.task import CheckResult, Task
from gitorch.replay import Replayer

Watched = Generator[Progress, None, Plan]


def verified(
    replayer: Replayer, tasks: Mapping[TaskId, Task], first: Plan, check: Check, verify: str, width: int = 1
) -> Watched:
    """Check the trees of a plan as `verify` says, `width` of them at once, and return the plan of what stays green.

    `batch` checks the union, and where that is red looks for the smallest sets of tasks that turn it red; `each`
    checks what each task makes of those before it; `end` takes the union or leaves it. The largest part of the plan
    that holds none of those sets goes on, after it was checked as a whole. A base that is red already is named, and
    no task is blamed for it. What fails once and then passes on one and the same tree is a flake, and told.
    """
    if verify == "never" or not first.steps:
        return first
    planner = Planner(replayer, tasks, first.before, first.onto)
    planner.adopt(first)
    search = Search(planner, Trials(replayer, check, width))
    made = yield from _judged(search, planner, msgspec.structs.replace(first, verify=verify))
    known = [result for result in made.results if result.flaky]
    return msgspec.structs.replace(made, flakes=tuple(dict.fromkeys([*search.trials.flakes, *known])))


def _judged(search: Search, planner: Planner, first: Plan) -> Watched:
    found: list[Guilty] = []
    made = first
    while made.steps:
        red = yield from search.first_red(made)
        if red is None:
            results = search.trials.results(made.tip)
            return msgspec.structs.replace(made, results=results)
        if base := search.red_base:
            return _without(first, "the integration branch fails its checks without it", red_base=_names(base))
        if first.verify == "end":
            return _without(first, "the union fails its checks")
        guilty = yield from search.guilty([step.task for step in made.steps], red)
        if guilty is None:
            continue  # what was red is a flake
        found.append(guilty)
        made = _again(planner, first, found)
    return made


def _again(planner: Planner, first: Plan, found: Sequence[Guilty]) -> Plan:
    """Plan once more, without the fewest tasks that break up all that is red together."""
    asked = first.order or tuple(step.task for step in first.steps)
    failures = left_out(found, asked)
    reasons = {one.task.id: f"which fails check {one.check}" for one in failures}
    order = [task for task in asked if task.id not in reasons]
    if unread := [task for task in order if task.id not in planner.paths]:
        planner.read(unread)
    made = planner.lay(order, reasons)
    return msgspec.structs.replace(first, steps=made.steps, clashes=made.clashes, held=made.held, failures=failures)


def _without(first: Plan, reason: str, *, red_base: str = "") -> Plan:
    held = tuple(Held(step.task, reason) for step in first.steps)
    return msgspec.structs.replace(first, steps=(), held=(*first.held, *held), red_base=red_base)


def _names(results: Sequence[CheckResult]) -> str:
    return ", ".join(result.name for result in failing(results))
