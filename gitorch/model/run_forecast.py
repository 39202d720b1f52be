"""How long a run will take and what it will cost, as quantiles of earlier work in the repository."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from gitorch.model.naming import TaskId

MIN_SAMPLES = 5
"""Fewer tasks than this say nothing about the next one."""

RECENT = 40
"""Of more tasks of a kind, only the last ones count: repositories and models change."""

_DRAWS = 200
_MAX_DRAWN_TASKS = 5_000
_LOW, _HIGH = 0.1, 0.9

_SMALL, _MEDIUM = 400, 2_000


class TaskSize(StrEnum):
    """How long the prompt of a task is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def size_of(prompt: str) -> TaskSize:
    """Return the size of a task with this prompt."""
    length = len(prompt)
    return TaskSize.SMALL if length < _SMALL else TaskSize.MEDIUM if length < _MEDIUM else TaskSize.LARGE


class PastTask(msgspec.Struct, frozen=True, kw_only=True):
    """What all attempts of an earlier task took together; `usd` is None if its price is unknown."""

    agent: str
    role: str
    size: TaskSize
    seconds: float
    usd: float | None = None
    tokens: int = 0


class NextTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of the run, and the tasks that it waits for."""

    id: TaskId
    agent: str
    role: str
    size: TaskSize
    after: tuple[TaskId, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """The range in which a value lies in eight of ten cases."""

    low: float
    high: float


class RunForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will take: wall time, dollars (None if the price is unknown) and tokens.

    `samples` counts the earlier tasks that it relies on. It holds if agents reach no limits.
    """

    seconds: Span
    usd: Span | None
    tokens: Span
    samples: int


def forecast(past: Sequence[PastTask], tasks: Sequence[NextTask], max_agents: int) -> RunForecast | None:
    """Return what tasks will take, in the order of the queue; None if too little is known about one of them.

    `past` is in the order of the work. Each task is like the earlier ones with its agent, role and size; where these
    are too few, with its agent and size, or with its agent alone.
    """
    groups = _groups(past)
    samples = {task.id: next(filter(None, (groups.get(key) for key in _keys(task))), None) for task in tasks}
    similar = {name: group for name, group in samples.items() if group}
    if not tasks or len(similar) < len(tasks):
        return None
    generator = random.Random(0)  # noqa: S311 (the same forecast for the same past)
    draws = [_drawn(similar, generator) for _ in range(max(_DRAWS // 10, min(_DRAWS, _MAX_DRAWN_TASKS // len(tasks))))]
    costs = [sum(task.usd or 0.0 for task in drawn.values()) for drawn in draws]
    is_priced = all(task.usd is not None for group in similar.values() for task in group)
    used = {id(task) for group in similar.values() for task in group}
    return RunForecast(
        seconds=_span(makespan(tasks, drawn, max_agents) for drawn in draws),
        usd=_span(costs) if is_priced else None,
        tokens=_span(sum(task.tokens for task in drawn.values()) for drawn in draws),
        samples=len(used),
    )


LIKELY = 0.8
"""A task ends within its expected time in so many of ten cases."""


class Expectations:
    """How long tasks take, by earlier ones like them; those are in the order of the work."""

    def __init__(self, past: Sequence[PastTask]) -> None:
        self._groups = _groups(past)

    def seconds(self, task: NextTask) -> float | None:
        """Return the seconds within which a task ends in eight of ten cases; None if too few are like it."""
        group = next(filter(None, (self._groups.get(key) for key in _keys(task))), None)
        if group is None:
            return None
        ordered = sorted(past.seconds for past in group)
        # one more: the next task is as likely to be the longest of all as each of these
        return ordered[min(math.ceil(LIKELY * (len(ordered) + 1)), len(ordered)) - 1]


def _drawn(similar: Mapping[TaskId, Sequence[PastTask]], generator: random.Random) -> dict[TaskId, PastTask]:
    """Return what each task may take, in a world whose earlier tasks came out differently: few of them say little."""
    worlds = {id(group): generator.choices(group, k=len(group)) for group in similar.values()}
    return {name: generator.choice(worlds[id(group)]) for name, group in similar.items()}


def _groups(past: Sequence[PastTask]) -> dict[tuple[str, ...], list[PastTask]]:
    groups: dict[tuple[str, ...], list[PastTask]] = {}
    for task in past:
        for key in _keys(task):
            groups.setdefault(key, []).append(task)
    return {key: group[-RECENT:] for key, group in groups.items() if len(group) >= MIN_SAMPLES}


def _keys(task: PastTask | NextTask) -> tuple[tuple[str, ...], ...]:
    """Return the groups of a task, the most similar first."""
    return (task.agent, task.role, task.size), (task.agent, task.size), (task.agent,)


def makespan(tasks: Sequence[NextTask], drawn: Mapping[TaskId, PastTask], max_agents: int) -> float:
    """Return the seconds until the last task ends, if `max_agents` work through the queue in order."""
    waiting = list(tasks)
    open_names = {task.id for task in tasks}
    running: list[tuple[float, TaskId]] = []
    now = 0.0
    while waiting or running:
        startable = [task for task in waiting if not open_names.intersection(task.after)]
        for task in startable[: max(max_agents - len(running), 0)]:
            waiting.remove(task)
            heapq.heappush(running, (now + drawn[task.id].seconds, task.id))
        if not running:  # what is left waits for itself
            break
        now, name = heapq.heappop(running)
        open_names.discard(name)
    return now


def _span(values: Iterable[float]) -> Span:
    ordered = sorted(values)
    last = len(ordered) - 1
    return Span(ordered[round(_LOW * last)], ordered[round(_HIGH * last)])
