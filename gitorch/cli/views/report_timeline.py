"""The timeline of a report as numbers for SVG: when each task waited, worked and was checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from gitorch.cli.views import quantities
from gitorch.model.naming import TaskId
from gitorch.model.outcome import AttemptOutcome
from gitorch.model.task import Attempt, PastAttempt, State, Task
from gitorch.services.report import ReportEntry

CHART_WIDTH = 760
LABEL_WIDTH = 190
ROW_HEIGHT = 22
_TICKS = 6
_NARROWEST = 1.5
_NIGHT = timedelta(hours=24)
"""How long before the last end an attempt may have ended and still be on the chart."""

_NO_FAILURES = (AttemptOutcome.FINISHED, AttemptOutcome.ASKED, AttemptOutcome.ANSWERED, AttemptOutcome.LIMITED)


class TimeSpan(msgspec.Struct, frozen=True):
    """A part of the chart, in Unix seconds. `kind` is queue, prepare, agent, bad (it failed), checks or limit."""

    kind: str
    start: float
    end: float
    words: str


class TimelineBar(msgspec.Struct, frozen=True):
    """A drawn span: its place and width in units of the chart."""

    kind: str
    x: float
    width: float
    words: str


class TimelineRow(msgspec.Struct, frozen=True):
    """The bars of one task."""

    id: TaskId
    y: int
    bars: tuple[TimelineBar, ...]


class Timeline(msgspec.Struct, frozen=True):
    """All rows, and the labels of the time axis with their places; `earlier` counts the attempts before the chart."""

    rows: tuple[TimelineRow, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    height: int = 0
    earlier: int = 0


def timeline(entries: Sequence[ReportEntry], now: datetime) -> Timeline:
    """Return the chart of the last night: 24 hours before the last attempt ended."""
    attempts = {
        entry.task.id: [attempt for attempt in _attempts(entry.task) if attempt.started is not None]
        for entry in entries
    }
    ends = [_end(attempt, now) for group in attempts.values() for attempt in group]
    if not ends:
        return Timeline()
    first = max(ends) - _NIGHT.total_seconds()
    recent = {name: [one for one in group if _end(one, now) >= first] for name, group in attempts.items()}
    start = min(_start(attempt) for group in recent.values() for attempt in group)
    spans = {entry.task.id: [*_spans(entry, recent[entry.task.id], start, now)] for entry in entries}
    end = max((span.end for group in spans.values() for span in group), default=start)
    scale = CHART_WIDTH / max(end - start, 1.0)
    by_start = sorted(
        (entry.task.id for entry in entries if recent[entry.task.id]), key=lambda name: _start(recent[name][0])
    )
    rows = tuple(
        TimelineRow(name, position * ROW_HEIGHT + 26, tuple(_bar(span, start, scale) for span in spans[name]))
        for position, name in enumerate(by_start)
    )
    return Timeline(
        rows, _axis(start, end, now), len(rows) * ROW_HEIGHT + 32, len(ends) - sum(map(len, recent.values()))
    )


def _attempts(task: Task) -> list[Attempt | PastAttempt]:
    return [*task.past, *([task.attempt] if task.attempt else [])]


def _start(attempt: Attempt | PastAttempt) -> float:
    return attempt.started.timestamp() if attempt.started else 0.0


def _end(attempt: Attempt | PastAttempt, now: datetime) -> float:
    return now.timestamp() if attempt.seconds is None else _start(attempt) + attempt.seconds


def _spans(
    entry: ReportEntry, attempts: Sequence[Attempt | PastAttempt], start: float, now: datetime
) -> Iterator[TimeSpan]:
    """Yield the spans of one task, oldest first."""
    if not attempts:
        return
    task = entry.task
    created = max(task.spec.created.timestamp() if task.spec.created else start, start)
    if created < _start(attempts[0]):
        yield _span("queue", created, _start(attempts[0]), "queued")
    for attempt, following in pairwise([*attempts, None]):
        if attempt is not None:
            yield from _attempt_spans(entry, attempt, now)
            begin = _start(following) if following else now.timestamp()
            if following or (task.state is State.WAITING and task.wake):
                is_limit = attempt.outcome == AttemptOutcome.LIMITED
                kind, words = ("limit", "waited for a limit") if is_limit else ("queue", "waited")
                yield _span(kind, _end(attempt, now), begin, words)


def _attempt_spans(entry: ReportEntry, attempt: Attempt | PastAttempt, now: datetime) -> Iterator[TimeSpan]:
    """Yield an attempt's agent and checks: as its steps were recorded, or as the sum of its checks says."""
    start, end = _start(attempt), _end(attempt, now)
    failed = attempt.outcome not in ("", *_NO_FAILURES)
    agent = "bad" if failed else "agent"
    name = f"attempt {attempt.number}, {attempt.agent}"
    yield _span(agent, start, end, f"{name}{': ' if attempt.outcome else ''}{attempt.outcome}")
    for step in entry.details.steps:
        if step.attempt == attempt.number and not step.name.startswith("agent-"):
            step_end = now.timestamp() if step.end is None else step.end
            step_kind = "prepare" if step.name.startswith("prepare-") else "checks"
            yield _span(step_kind, max(step.start, start), min(step_end, end), step.name.rpartition("/")[2])


def _span(kind: str, start: float, end: float, words: str) -> TimeSpan:
    end = max(start, end)
    return TimeSpan(kind, start, end, f"{words}, {quantities.duration(end - start)}")


def _bar(span: TimeSpan, start: float, scale: float) -> TimelineBar:
    x = round((span.start - start) * scale, 1)
    width = max((span.end - span.start) * scale, _NARROWEST)
    return TimelineBar(span.kind, x + LABEL_WIDTH, round(width, 1), span.words)


def _axis(start: float, end: float, now: datetime) -> tuple[tuple[float, str], ...]:
    seconds = end - start
    form = "%H:%M:%S" if seconds < _TICKS * 60 else "%H:%M"
    times = [start + seconds * tick / (_TICKS - 1) for tick in range(_TICKS)]
    return tuple(
        (
            round(LABEL_WIDTH + CHART_WIDTH * tick / (_TICKS - 1), 1),
            f"{datetime.fromtimestamp(time, now.tzinfo):{form}}",
        )
        for tick, time in enumerate(times)
    )
