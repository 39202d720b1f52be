"""Choose the tasks to leave out of a merge: the cheapest choice that breaks every failing set.

A failing set is a smallest group of tasks, often a pair, whose union fails a check (`values.FailingSet`); `failing_set`
finds them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from gitorch.flow.merge.values import FailingSet, Failure
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id

_MAX_CHOICES = 20_000
"""Up to this many choices all are compared; beyond it, tasks are selected greedily."""


def choose_failures(failing_sets: Sequence[FailingSet], order: Sequence[Task]) -> tuple[Failure, ...]:
    """Return the tasks to leave out: at least one of each failing set, so that the fewest tasks are lost with them.

    A task is lost with each task that it depends on. Among equal choices the later tasks are left out, so that urgent
    and old ones go in.
    """
    selected = _choose(failing_sets, order)
    return tuple(_failure(task, failing_sets) for task in order if task.id in selected)


def _choose(failing_sets: Sequence[FailingSet], order: Sequence[Task]) -> frozenset[TaskId]:
    tasks = by_id(order)
    positions = {name: position for position, name in enumerate(tasks)}
    members = [[task.id for task in failing_set.members] for failing_set in failing_sets]
    lost = {name: {name} | graph.dependants(name, tasks) for names in members for name in names}

    def cost(choice: Iterable[TaskId]) -> tuple[int, list[int]]:
        names = set(choice)
        return len(set().union(*(lost[name] for name in names))), sorted(-positions[name] for name in names)

    if math.prod(map(len, members)) <= _MAX_CHOICES:
        return frozenset(min((frozenset(choice) for choice in itertools.product(*members)), key=cost))
    return _choose_greedily(members, lost, positions)


def _choose_greedily(
    members: Sequence[Sequence[TaskId]], lost: Mapping[TaskId, set[TaskId]], positions: Mapping[TaskId, int]
) -> frozenset[TaskId]:
    """Choose the task that breaks the most failing sets for each task lost with it, until no set is unbroken."""
    selected: set[TaskId] = set()
    unbroken = list(members)
    while unbroken:
        counts = {name: sum(name in names for names in unbroken) for names in unbroken for name in names}
        best = max(counts, key=lambda name: (counts[name] / len(lost[name]), positions[name]))
        selected.add(best)
        unbroken = [names for names in unbroken if best not in names]
    return frozenset(selected)


def _failure(task: Task, failing_sets: Sequence[FailingSet]) -> Failure:
    sets_with_task = [failing_set for failing_set in failing_sets if task in failing_set.members]
    together = (member.id for failing_set in sets_with_task for member in failing_set.members if member != task)
    earlier = (failing_set.earlier for failing_set in sets_with_task if failing_set.earlier)
    partners = dict.fromkeys((*together, *earlier))
    return Failure(
        task=task,
        check=sets_with_task[0].check,
        partners=tuple(partners),
        alone=_passes_alone(task, sets_with_task),
        output=sets_with_task[0].output,
    )


def _passes_alone(task: Task, sets_with_task: Sequence[FailingSet]) -> bool | None:
    """Return whether a task passes alone; None if that was not looked at."""
    single = [failing_set for failing_set in sets_with_task if len(failing_set.members) == 1]
    if single:
        return all(failing_set.earlier for failing_set in single)
    return True if all(task.id in failing_set.alone for failing_set in sets_with_task) else None
