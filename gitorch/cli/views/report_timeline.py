"""The timeline of a report as numbers for SVG: when each task waited, worked and was checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gitorch.cli.views.time_spans import NIGHT, TimeSpan, end_of, start_of, started_attempts, task_spans
from gitorch.model.naming import TaskId
from gitorch.services.report import ReportEntry

CHART_WIDTH = 760
LABEL_WIDTH = 190
ROW_HEIGHT = 22
_TICKS = 6
_NARROWEST = 1.5


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
    attempts = {entry.task.id: started_attempts(entry.task) for entry in entries}
    ends = [end_of(attempt, now) for group in attempts.values() for attempt in group]
    if not ends:
        return Timeline()
    first = max(ends) - NIGHT.total_seconds()
    recent = {name: [one for one in group if end_of(one, now) >= first] for name, group in attempts.items()}
    start = min(start_of(attempt) for group in recent.values() for attempt in group)
    spans = {
        entry.task.id: [*task_spans(entry.task, recent[entry.task.id], entry.details.steps, start, now)]
        for entry in entries
    }
    end = max((span.end for group in spans.values() for span in group), default=start)
    scale = CHART_WIDTH / max(end - start, 1.0)
    by_start = sorted(
        (entry.task.id for entry in entries if recent[entry.task.id]), key=lambda name: start_of(recent[name][0])
    )
    rows = tuple(
        TimelineRow(name, position * ROW_HEIGHT + 26, tuple(_bar(span, start, scale) for span in spans[name]))
        for position, name in enumerate(by_start)
    )
    return Timeline(
        rows, _axis(start, end, now), len(rows) * ROW_HEIGHT + 32, len(ends) - sum(map(len, recent.values()))
    )


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
