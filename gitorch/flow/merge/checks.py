"""Check a merge: what passes goes in, and the tasks that make the union fail are found and left out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

import msgspec

from gitorch.flow.merge.blame import red_base
from gitorch.flow.merge.blame.blamed_pair import earlier_partner
from gitorch.flow.merge.blame.failing_set import FailingSetSearch
from gitorch.flow.merge.blame.left_out import choose_failures
from gitorch.flow.merge.check_runner import CheckRunner, failing
from gitorch.flow.merge.planning.planner import CommitReplayer, MergePlanner
from gitorch.flow.merge.values import Blocked, FailingSet, MergePlan, Progress, TreeCheck, TreeStore
from gitorch.model.naming import TaskId
from gitorch.model.task import CheckResult, Task

VerifyProgress = Generator[Progress, None, MergePlan]


class StoringReplayer(CommitReplayer, TreeStore, Protocol):
    """A replayer whose commits can be checked."""


def verify_plan(
    replayer: StoringReplayer,
    tasks: Mapping[TaskId, Task],
    plan: MergePlan,
    check: TreeCheck,
    verify: str,
    width: int = 1,
) -> VerifyProgress:
    """Check the trees of a plan, up to `width` of them at once, and return the plan of what passes.

    - `batch` checks the union; if it fails, minimal failing sets are searched for.
    - `each` checks every step.
    - `end` takes the union or nothing.

    The largest part of the plan that contains no failing set goes in, after it was checked as a whole. If the base
    fails already, no task is blamed: a task that repairs it goes in first, and the others are judged on top of it. A
    check that fails and then passes on the same tree is reported as a flake.
    """
    if verify == "never" or not plan.steps:
        return plan
    planner = MergePlanner(replayer, tasks, plan.before, plan.onto)
    planner.reuse_replays(plan)
    search = FailingSetSearch(planner, CheckRunner(replayer, check, width))
    green = yield from _verify(search, planner, msgspec.structs.replace(plan, verify=verify))
    flakes = [*search.runner.flakes, *(result for result in green.results if result.flaky)]
    return msgspec.structs.replace(green, flakes=tuple(dict.fromkeys(flakes)))


def _verify(search: FailingSetSearch, planner: MergePlanner, plan: MergePlan) -> VerifyProgress:
    failing_sets: list[FailingSet] = []
    current = plan
    while current.steps:
        position = yield from search.first_red(current)
        if position is None:
            return msgspec.structs.replace(current, results=search.runner.results(current.tip))
        if base := search.red_base:
            repaired = None if plan.verify == "end" else (yield from _verify_repaired(search, planner, plan))
            if repaired is not None:
                return repaired
            return _block_all(plan, "the integration branch fails its checks without it", red_base=_names(base))
        if plan.verify == "end":
            return _block_all(plan, "the union fails its checks")
        failing_set = yield from search.failing_set([step.task for step in current.steps], position)
        if failing_set is None:
            continue  # the failure was a flake
        if len(failing_set.members) == 1:
            earlier = yield from earlier_partner(search, planner, failing_set.members[0])
            failing_set = msgspec.structs.replace(failing_set, earlier=earlier)
        failing_sets.append(failing_set)
        current = _plan_without(planner, plan, failing_sets)
    return current


def _verify_repaired(
    search: FailingSetSearch, planner: MergePlanner, plan: MergePlan
) -> Generator[Progress, None, MergePlan | None]:
    """Return the plan of tasks that repair a red base and of what is green on top of them; None if none repairs it."""
    repair = yield from red_base.find_repair(planner, search.runner, plan)
    if repair is None:
        return None
    above_planner, above = red_base.plan_on_top(planner, plan, repair)
    results = search.runner.results(repair.tip)
    if above.steps:
        above = yield from _verify(FailingSetSearch(above_planner, search.runner), above_planner, above)
    above = above if above.steps else msgspec.structs.replace(above, results=results)
    return red_base.combine(plan, repair, above)


def _plan_without(planner: MergePlanner, plan: MergePlan, failing_sets: Sequence[FailingSet]) -> MergePlan:
    """Plan again, without the fewest tasks that break all failing sets."""
    tasks = plan.order or tuple(step.task for step in plan.steps)
    failures = choose_failures(failing_sets, tasks)
    reasons = {failure.task.id: f"which fails check {failure.check}" for failure in failures}
    order = [task for task in tasks if task.id not in reasons]
    if unread := [task for task in order if task.id not in planner.paths]:
        planner.read(unread)
    replanned = planner.plan_order(order, reasons)
    return msgspec.structs.replace(
        plan, steps=replanned.steps, conflicts=replanned.conflicts, blocked=replanned.blocked, failures=failures
    )


def _block_all(plan: MergePlan, reason: str, *, red_base: str = "") -> MergePlan:
    blocked = tuple(Blocked(step.task, reason) for step in plan.steps)
    return msgspec.structs.replace(plan, steps=(), blocked=(*plan.blocked, *blocked), red_base=red_base)


def _names(results: Sequence[CheckResult]) -> str:
    return ", ".join(result.name for result in failing(results))
