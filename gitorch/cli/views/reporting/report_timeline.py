"""The timeline of a report as numbers for SVG: when each task waited, worked and was checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from rich.cells import cell_len

from gitorch.cli.views.time_spans import NIGHT, TimeSpan, end_of, start_of, started_attempts, task_spans
from gitorch.model.naming import TaskId
from gitorch.services.report import ReportEntry

CHART_WIDTH = 760
_WIDEST_LABEL = 190
_CHARACTER_WIDTH = 8
ROW_HEIGHT = 22
_MAX_TICKS = 8
_MINUTE, _HOUR = 60, 3600
_STEPS = (
    *(1, 2, 5, 10, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6)),
)
"""Seconds between two times of the axis."""
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
    """All rows, and the labels of the time axis with their places; `earlier` counts the attempts before the chart.

    `label_width` is the room for the names, left of the bars.
    """

    rows: tuple[TimelineRow, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    height: int = 0
    earlier: int = 0
    label_width: int = _WIDEST_LABEL


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
    left = min(_WIDEST_LABEL, max(map(cell_len, by_start), default=0) * _CHARACTER_WIDTH + 2 * _CHARACTER_WIDTH)
    rows = tuple(
        TimelineRow(name, position * ROW_HEIGHT + 26, tuple(_bar(span, start, scale, left) for span in spans[name]))
        for position, name in enumerate(by_start)
    )
    return Timeline(
        rows,
        _axis(start, end, now, left),
        len(rows) * ROW_HEIGHT + 32,
        len(ends) - sum(map(len, recent.values())),
        left,
    )


def _bar(span: TimeSpan, start: float, scale: float, left: int) -> TimelineBar:
    x = round((span.start - start) * scale, 1)
    width = max((span.end - span.start) * scale, _NARROWEST)
    return TimelineBar(span.kind, x + left, round(width, 1), span.words)


def _axis(start: float, end: float, now: datetime, left: int) -> tuple[tuple[float, str], ...]:
    """Return round times: the finest step that gives few enough."""
    step = next((step for step in _STEPS if (end - start) / step <= _MAX_TICKS), _STEPS[-1])
    form = "%H:%M:%S" if step < _MINUTE else "%H:%M"
    offset = (now.utcoffset() or timedelta()).total_seconds()
    first = math.ceil((start + offset) / step) * step - offset
    count = int((end - first) // step) + 1
    times = [first + step * tick for tick in range(count)]
    scale = CHART_WIDTH / max(end - start, 1.0)
    return tuple(
        (round(left + (time - start) * scale, 1), f"{datetime.fromtimestamp(time, now.tzinfo):{form}}")
        for time in times
    )
