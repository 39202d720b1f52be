"""Places in the queue: where a person has moved a task.

A place is a tuple of integers, compared as Python compares tuples. The place of a task that was never moved is its
priority and its number. Between any two places there is another one, so moving one task changes no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.model.task import Task, urgency

Place = tuple[int, ...]

_UNMOVED = 2
"""The length of the place of a task that was never moved: priority and number."""


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Sort tasks as the queue starts them, as far as their dependencies allow."""
    return sorted(tasks, key=urgency)


def place_of(task: Task) -> Place:
    """Return the place of a task in the queue."""
    return urgency(task)[0]


def place_at(queue: Sequence[Task], index: int) -> Place:
    """Return the place of a task that goes in front of `queue[index]`, or behind all with the length of the queue.

    The queue is in order, not empty, and does not contain the task itself.
    """
    if index == 0:
        first = place_of(queue[0])
        # longer than the places of tasks that were never moved: it is equal to none of them
        return (*first[:-1], first[-1] - 1) if len(first) > _UNMOVED else (first[0], first[1] - 1, 0)
    before = place_of(queue[index - 1])
    return _between(before, place_of(queue[index])) if index < len(queue) else (*before, 0)


def _between(low: Place, high: Place) -> Place:
    if len(low) > _UNMOVED and (next_to := (*low[:-1], low[-1] + 1)) < high:
        return next_to
    is_below = len(high) > len(low) and high[: len(low)] == low
    return (*low, high[len(low)] - 1) if is_below else (*low, 0)
