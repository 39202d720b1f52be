"""The checks of a merge: what stays green goes on, what turns the union red is found and named."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

import msgspec

from gitorch.flow.merger.plan import Failure, Held, Plan, Progress, plan
from gitorch.git.replay import Replayer
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, Task

Check = Callable[[Oid], tuple[CheckResult, ...]]
"""Judges the tree of a commit."""


def verified(
    replayer: Replayer,
    tasks: Mapping[TaskId, Task],
    first: Plan,
    check: Check,
    verify: str,
) -> Generator[Progress, None, Plan]:
    """Check the trees of a plan as `verify` says, and return the plan of what stays green.

    `batch` checks the union and, where that is red, goes task by task to find who turns it red; `each` goes task by
    task at once; `end` checks the union and takes it or leaves it. A base that is red already is named, and no
    task is blamed for it.
    """
    if verify == "never" or not first.steps:
        return first
    if verify in ("batch", "end"):
        yield Progress("check the union", 1, 1)
        replayer.keep(first.tip)
        results = check(first.tip)
        if _green(results):
            return msgspec.structs.replace(first, results=results)
    yield Progress("check the base", 1, 1)
    if not _green(base_results := check(first.onto)):
        red = ", ".join(result.name for result in base_results if not result.passed)
        return _without(first, "the integration branch fails its checks without it", red_base=red)
    if verify == "end":
        return _without(first, "the union fails its checks")
    return (yield from _one_by_one(replayer, tasks, first, check))


def _one_by_one(
    replayer: Replayer, tasks: Mapping[TaskId, Task], first: Plan, check: Check
) -> Generator[Progress, None, Plan]:
    chosen = [step.task for step in first.steps]
    failures: list[Failure] = []
    current = first
    at = 0
    while at < len(current.steps):
        step = current.steps[at]
        yield Progress(f"check {step.task.id}", at + 1, len(current.steps))
        replayer.keep(step.replayed.tip)
        results = check(step.replayed.tip)
        if _green(results):
            at += 1
            continue
        failures.append(Failure(step.task, next(result.name for result in results if not result.passed)))
        chosen.remove(step.task)
        # what passed so far keeps its place; what comes after is replayed without the one that failed
        current = plan(replayer, tasks, chosen, first.before, first.onto)
    final = check(current.tip) if current.steps else ()
    return msgspec.structs.replace(
        current,
        clashes=(*first.clashes, *current.clashes),
        held=(*first.held, *current.held),
        failures=tuple(failures),
        results=final,
    )


def _without(first: Plan, reason: str, *, red_base: str = "") -> Plan:
    held = tuple(Held(step.task, reason) for step in first.steps)
    return msgspec.structs.replace(first, steps=(), held=(*first.held, *held), red_base=red_base)


def _green(results: Sequence[CheckResult]) -> bool:
    return all(result.passed for result in results)
