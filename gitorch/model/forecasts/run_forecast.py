"""How long a run will take and what it will cost, as quantiles of earlier work in the repository."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from gitorch.model.forecasts.night_levels import NightLevels, expected, explanations
from gitorch.model.naming import TaskId

MIN_SAMPLES = 5
"""Fewer tasks than this say nothing about the next one."""

FEW_NIGHTS = 4
"""Fewer nights than this say little about how much nights differ as a whole."""

RECENT = 200
"""Of more tasks of a kind, only the last ones count."""

_DRAWS = 200
_MAX_DRAWN_TASKS = 5_000
_LOW, _HIGH = 0.1, 0.9
_MOST = 5.0
"""How far a value may be from that of an earlier task, as a logarithm: what is more than a hundredfold says nothing."""

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
    """What all attempts of an earlier task took together; `usd` is None if its price is unknown.

    `night` numbers the runs: tasks with the same number were worked on together.
    """

    agent: str
    role: str
    size: TaskSize
    seconds: float
    usd: float | None = None
    tokens: int = 0
    night: int = 0


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

    `samples` counts the earlier tasks that it relies on, `nights` the runs that these are from. It holds if agents
    reach no limits.
    """

    seconds: Span
    usd: Span | None
    tokens: Span
    samples: int
    nights: int

    @property
    def is_rough(self) -> bool:
        """Return whether it relies on too few nights to know how much they differ."""
        return self.nights < FEW_NIGHTS


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
    draws = max(_DRAWS // 10, min(_DRAWS, _MAX_DRAWN_TASKS // len(tasks)))
    used = {id(task): task for group in similar.values() for task in group}
    is_priced = all(task.usd is not None for task in used.values())
    seconds = _drawn(similar, lambda task: task.seconds, draws)
    usd = _drawn(similar, lambda task: task.usd or 0.0, draws) if is_priced else None
    tokens = _drawn(similar, lambda task: float(task.tokens), draws)
    return RunForecast(
        seconds=_span(makespan(tasks, drawn, max_agents) for drawn in seconds),
        usd=_span(sum(drawn.values()) for drawn in usd) if usd else None,
        tokens=_span(sum(drawn.values()) for drawn in tokens),
        samples=len(used),
        nights=len({task.night for task in used.values()}),
    )


def _drawn(
    similar: Mapping[TaskId, Sequence[PastTask]], value: Callable[[PastTask], float], draws: int
) -> list[dict[TaskId, float]]:
    """Return nights that may come: for each task, the value of an earlier one like it, at the level of the next night.

    Each draw is made with one explanation of how nights differ, the more likely ones more often.
    """
    generator = random.Random(0)  # noqa: S311 (the same forecast for the same past)
    groups = {id(group): _values(group, value) for group in similar.values()}
    residuals = sorted((past.night, past.residual) for group in groups.values() for past in group)
    explained = explanations(residuals)
    sampled_levels = generator.choices(explained, weights=[each.weight for each in explained], k=draws)
    return [_night(similar, groups, levels, generator) for levels in sampled_levels]


class _Value(msgspec.Struct, frozen=True):
    """A value of an earlier task, and its logarithm less the mean of its group."""

    night: int
    value: float
    residual: float


def _values(group: Sequence[PastTask], value: Callable[[PastTask], float]) -> list[_Value]:
    pairs = [(task.night, value(task)) for task in group]
    logs = [math.log(number) for _, number in pairs if number > 0]
    middle = sum(logs) / len(logs) if logs else 0.0
    return [_Value(night, number, math.log(number) - middle if number > 0 else 0.0) for night, number in pairs]


def _night(
    similar: Mapping[TaskId, Sequence[PastTask]],
    groups: Mapping[int, Sequence[_Value]],
    levels: NightLevels,
    generator: random.Random,
) -> dict[TaskId, float]:
    """Return a night that may come, in a world whose earlier tasks came out differently: few of them say little."""
    worlds = {key: generator.choices(group, k=len(group)) for key, group in groups.items()}
    ahead = generator.gauss(levels.mean, math.sqrt(levels.variance))
    drawn = {}
    for name, group in similar.items():
        past = generator.choice(worlds[id(group)])
        # the values of a few tasks lie closer to their own mean than the next one will
        deviation = (past.residual - levels.earlier.get(past.night, 0.0)) * math.sqrt(len(group) / (len(group) - 1))
        drawn[name] = past.value * math.exp(min(ahead + deviation - past.residual, _MOST))
    return drawn


LIKELY = 0.8
"""A task ends within its expected time in so many of ten cases."""


class Expectations:
    """How long tasks take, by earlier ones like them (in the order of the work), at the level of the next night."""

    def __init__(self, past: Sequence[PastTask]) -> None:
        self._groups = _groups(past)
        kinds = {key: group for task in past[-RECENT:] if (pair := self._group(task)) for key, group in [pair]}
        values = (_values(group, lambda task: task.seconds) for group in kinds.values())
        self._levels = explanations(sorted((past.night, past.residual) for group in values for past in group))

    def seconds(self, task: NextTask) -> float | None:
        """Return the seconds within which a task ends in eight of ten cases; None if too few are like it."""
        group = self._group(task)
        if group is None:
            return None
        levels = {night: math.exp(expected(self._levels, night)) for night in {past.night for past in group[1]}}
        ordered = sorted(past.seconds * levels[past.night] for past in group[1])
        # one more: the next task is as likely to be the longest of all as each of these
        return ordered[min(math.ceil(LIKELY * (len(ordered) + 1)), len(ordered)) - 1]

    def _group(self, task: PastTask | NextTask) -> tuple[tuple[str, ...], list[PastTask]] | None:
        return next(((key, self._groups[key]) for key in _keys(task) if key in self._groups), None)


def _groups(past: Sequence[PastTask]) -> dict[tuple[str, ...], list[PastTask]]:
    groups: dict[tuple[str, ...], list[PastTask]] = {}
    for task in past:
        for key in _keys(task):
            groups.setdefault(key, []).append(task)
    return {key: group[-RECENT:] for key, group in groups.items() if len(group) >= MIN_SAMPLES}


def _keys(task: PastTask | NextTask) -> tuple[tuple[str, ...], ...]:
    """Return the groups of a task, the most similar first."""
    return (task.agent, task.role, task.size), (task.agent, task.size), (task.agent,)


def makespan(tasks: Sequence[NextTask], seconds: Mapping[TaskId, float], max_agents: int) -> float:
    """Return the seconds until the last task ends, if `max_agents` work through the queue in order."""
    waiting = list(tasks)
    open_names = {task.id for task in tasks}
    running: list[tuple[float, TaskId]] = []
    now = 0.0
    while waiting or running:
        startable = [task for task in waiting if not open_names.intersection(task.after)]
        for task in startable[: max(max_agents - len(running), 0)]:
            waiting.remove(task)
            heapq.heappush(running, (now + seconds[task.id], task.id))
        if not running:  # what is left waits for itself
            break
        now, name = heapq.heappop(running)
        open_names.discard(name)
    return now


def _span(values: Iterable[float]) -> Span:
    ordered = sorted(values)
    last = len(ordered) - 1
    return Span(ordered[round(_LOW * last)], ordered[round(_HIGH * last)])
