"""Who is left out of a merge, so that all that is red together is broken up and as much as can be goes in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import msgspec

from gitorch.flow.merge.values import Failure
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id

_MOST_CHOICES = 20_000


class Guilty(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest set of tasks that is red together, in merge order: which check fails, and where its output is."""

    members: tuple[Task, ...]
    check: str
    output: str = ""


def left_out(found: Sequence[Guilty], asked: Sequence[Task]) -> tuple[Failure, ...]:
    """Return the tasks to leave out: at least one of each guilty set, and with what builds on them as few as can be.

    Of equal choices the one that leaves out the later tasks: the urgent and the old go in.
    """
    chosen = _chosen(found, asked)
    return tuple(_failure(task, found) for task in asked if task.id in chosen)


def _chosen(found: Sequence[Guilty], asked: Sequence[Task]) -> frozenset[TaskId]:
    tasks = by_id(asked)
    place = {name: at for at, name in enumerate(tasks)}
    lost = {task.id: {task.id} | graph.dependants(task.id, tasks) for one in found for task in one.members}

    def cost(choice: Iterable[TaskId]) -> tuple[int, list[int]]:
        names = set(choice)
        return len(set().union(*(lost[name] for name in names))), sorted(-place[name] for name in names)

    members = [[task.id for task in one.members] for one in found]
    if math.prod(map(len, members)) <= _MOST_CHOICES:
        return frozenset(min((frozenset(choice) for choice in itertools.product(*members)), key=cost))
    return _one_by_one(members, lost, place)


def _one_by_one(
    members: Sequence[Sequence[TaskId]], lost: dict[TaskId, set[TaskId]], place: dict[TaskId, int]
) -> frozenset[TaskId]:
    """Choose the task that breaks up most sets for what is lost with it, until none is left: where all is too much."""
    chosen: set[TaskId] = set()
    whole = list(members)
    while whole:
        counts = {name: sum(name in one for one in whole) for one in whole for name in one}
        best = max(counts, key=lambda name: (counts[name] / len(lost[name]), place[name]))
        chosen.add(best)
        whole = [one for one in whole if best not in one]
    return frozenset(chosen)


def _failure(task: Task, found: Sequence[Guilty]) -> Failure:
    mine = [one for one in found if task in one.members]
    partners = dict.fromkeys(member.id for one in mine for member in one.members if member != task)
    return Failure(
        task=task,
        check=mine[0].check,
        partners=tuple(partners),
        alone=all(len(one.members) > 1 for one in mine),
        output=mine[0].output,
    )
