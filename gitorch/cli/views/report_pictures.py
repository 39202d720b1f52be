"""The pictures of a report as numbers for SVG: the graph of the tasks, and the timeline of their attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from gitorch.cli.views import labels
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

BOX_WIDTH, BOX_HEIGHT = 150, 28
_COLUMN, _ROW = 200, 40
CHART_WIDTH = 560
_LABEL = 20


class GraphBox(msgspec.Struct, frozen=True):
    """A task in the graph: its place, its name, and the class of its state."""

    id: TaskId
    label: str
    kind: str
    x: int
    y: int


class GraphEdge(msgspec.Struct, frozen=True):
    """A line from a task to one that builds on it."""

    x1: int
    y1: int
    x2: int
    y2: int


class TaskGraph(msgspec.Struct, frozen=True):
    """All boxes and edges, and the size of the picture."""

    boxes: tuple[GraphBox, ...]
    edges: tuple[GraphEdge, ...]
    width: int
    height: int


class TimelineBar(msgspec.Struct, frozen=True):
    """An attempt: when it ran, and the part of it in which the checks ran, in units of the chart."""

    id: TaskId
    label: str
    kind: str
    y: int
    x: float
    agent: float
    checks: float
    words: str


def short(text: str) -> str:
    """Return a name that fits into a box."""
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"


def kind(task: Task) -> str:
    """Return the class by which the page colours a task."""
    return "bad" if labels.needs_attention(task) else str(task.state)


def task_graph(tasks: Sequence[Task]) -> TaskGraph:
    """Return the graph: what a task builds on is to its left."""
    by_name = {task.id: task for task in tasks}
    depths: dict[TaskId, int] = {}
    for task in tasks:
        _depth(task.id, by_name, depths)
    columns: dict[int, int] = {}
    corners: dict[TaskId, tuple[int, int]] = {}
    for task in tasks:
        column = depths[task.id]
        row = columns.get(column, 0)
        columns[column] = row + 1
        corners[task.id] = (column * _COLUMN + 2, row * _ROW + 2)
    edges = [
        GraphEdge(
            corners[name][0] + BOX_WIDTH,
            corners[name][1] + BOX_HEIGHT // 2,
            corners[task.id][0],
            corners[task.id][1] + BOX_HEIGHT // 2,
        )
        for task in tasks
        for name in task.spec.after
        if name in corners
    ]
    boxes = tuple(GraphBox(task.id, short(task.id), kind(task), *corners[task.id]) for task in tasks)
    width = (max(columns, default=0) + 1) * _COLUMN
    return TaskGraph(boxes, tuple(edges), width, max(columns.values(), default=0) * _ROW + 4)


def _depth(name: TaskId, tasks: Mapping[TaskId, Task], depths: dict[TaskId, int]) -> int:
    """Fill in the depth of a task and of all that it builds on, without recursion."""
    open_names = [name]
    while open_names:
        current = open_names[-1]
        after = [other for other in tasks[current].spec.after if other in tasks]
        missing = [other for other in after if other not in depths]
        if missing:
            open_names += missing
        else:
            depths[current] = 1 + max((depths[other] for other in after), default=-1)
            open_names.pop()
    return depths[name]


def timeline(tasks: Sequence[Task], now: datetime) -> tuple[list[TimelineBar], tuple[datetime, datetime] | None]:
    """Return the bars of the last attempts, and the time that the chart covers; None without attempts."""
    spans = [(task, span) for task in tasks if (span := _span(task, now))]
    if not spans:
        return [], None
    start, end = min(span[0] for _, span in spans), max(span[1] for _, span in spans)
    scale = CHART_WIDTH / max((end - start).total_seconds(), 1.0)
    bars = []
    for row, (task, (begin, finish)) in enumerate(sorted(spans, key=lambda item: item[1][0])):
        seconds = (finish - begin).total_seconds()
        checks = min(sum(result.seconds for result in task.results), seconds)
        bars.append(
            TimelineBar(
                task.id,
                short(task.id),
                kind(task),
                row * 22 + 4,
                round((begin - start).total_seconds() * scale, 1),
                round(max((seconds - checks) * scale, 2.0), 1),
                round(checks * scale, 1),
                f"{task.id}: {labels.took(task.attempt, now)}",
            )
        )
    return bars, (start, end)


def _span(task: Task, now: datetime) -> tuple[datetime, datetime] | None:
    attempt = task.attempt
    if attempt is None or attempt.started is None:
        return None
    end = now if attempt.seconds is None else attempt.started + timedelta(seconds=attempt.seconds)
    return attempt.started, max(end, attempt.started)
