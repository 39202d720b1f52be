"""Goals with the parts that a reader would expect: read from tables, and compared with plans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from gitorch.model.plan import PlannedTask, TaskPlan


class Part(NamedTuple):
    """A part that a plan should have: words one of which its title holds; whether it may be missing."""

    words: tuple[str, ...]
    optional: bool


class Answer(NamedTuple):
    """One good plan: its parts, and whether they follow one another. No parts: the goal stays one task."""

    parts: tuple[Part, ...]
    ordered: bool


def table(name: str) -> list[tuple[str, list[Answer]]]:
    """Return the lines of a table: a goal, and the answers to it that are equally good."""
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(goal.replace("\\n", "\n"), [_answer(one) for one in told.split(" || ")]) for goal, told in pairs]


def _answer(told: str) -> Answer:
    if told == "*":
        return Answer((), ordered=False)
    parts = re.split(r" [|>] ", told)
    return Answer(tuple(_part(part) for part in parts), ordered=" > " in told)


def _part(told: str) -> Part:
    return Part(tuple(told.removeprefix("?").split("/")), told.startswith("?"))


def faults(plan: TaskPlan, answers: Sequence[Answer]) -> list[str]:
    """Return what is wrong with a plan, in the eyes of the answer that it comes closest to."""
    return min((list(_faults(plan, answer)) for answer in answers), key=len)


def _faults(plan: TaskPlan, answer: Answer) -> Iterator[str]:
    if not answer.parts:
        if [task.prompt.strip() for task in plan.tasks] != [plan.goal.strip()]:
            yield from (f"invented: {task.title}" for task in plan.tasks)
        return
    found = _matched(plan.tasks, answer.parts)
    required = [part for part in answer.parts if not part.optional]
    yield from (f"missing: {'/'.join(part.words)}" for part in required if part not in found)
    taken = {task.id for task in found.values()}
    yield from (f"invented: {task.title}" for task in plan.tasks if task.id not in taken)
    chain = [found[part] for part in required if part in found] if answer.ordered else []
    yield from (f"out of order: {two.title}" for one, two in pairwise(chain) if one.id not in two.after)


def _matched(tasks: Sequence[PlannedTask], parts: Sequence[Part]) -> dict[Part, PlannedTask]:
    """Give each part a task of its own, as many as possible, the required ones first."""
    found: dict[Part, PlannedTask] = {}
    for part in sorted(parts, key=lambda one: one.optional):
        _give(part, tasks, found, set())
    return found


def _give(part: Part, tasks: Sequence[PlannedTask], found: dict[Part, PlannedTask], tried: set[str]) -> bool:
    for task in tasks:
        if task.id in tried or not any(word in task.title.lower() for word in part.words):
            continue
        tried.add(task.id)
        holder = next((one for one, held in found.items() if held.id == task.id), None)
        if holder is None or _give(holder, tasks, found, tried):
            found[part] = task
            return True
    return False
