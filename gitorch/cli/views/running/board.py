"""The board of `watch`, and of `run` on a terminal: what each agent is doing, and how far the run is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import fitted, joined
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.terminal.table import Column, Row, table, visible_columns
from gitorch.cli.views import forecast, labels, quantities
from gitorch.cli.views.groups import grouped, total_cost
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.running.board_timeline import BoardTimeline, Steps, board_timeline, legend
from gitorch.model.forecasts.conflict_forecast import ForecastSummary
from gitorch.model.naming import TaskId
from gitorch.model.task import ALIVE, State, Task
from gitorch.storage.run_records import RunRecord

_BAR_WIDTH = 40
_MIN_ROWS = 3
_MAX_CONFLICTS = 3
_MAX_CANDIDATE_LINES = 3
_LEGEND_HEIGHT = 14
"""From how many lines on a terminal explains the characters of the timeline."""

Tasks = Mapping[TaskId, Task]
Activity = Mapping[TaskId, str]

_COLUMNS = (
    Column(title=""),
    Column(title="Task", shrink=20),
    Column(title="State"),
    Column(title="Agent", drop=5),
    Column(title="Took", right=True, drop=2),
    Column(title="Checks", drop=3),
    Column(title="Cost", right=True, drop=4),
    Column(title="Timeline", drop=1),
    Column(title="Activity"),
)
_TIMELINE = 7
"""The position of the column whose title is the times of its ends."""

_ORDER = (
    Bucket.RUNNING,
    Bucket.ANSWER,
    Bucket.READ,
    Bucket.PAUSED,
    Bucket.FIX,
    Bucket.RESOLVE,
    Bucket.REVIEW,
    Bucket.QUEUED,
    Bucket.MERGE,
    Bucket.MERGED,
    Bucket.DROPPED,
)


class Details(msgspec.Struct, frozen=True):
    """What is read from files during a run: the activity of each agent, the forecast and the candidate.

    `steps` are those of recent attempts. `run` is the record of the run that goes on, `notice` what a person should
    know of the run itself, such as that it has ended.
    """

    activity: Activity = {}
    forecast: ForecastSummary = ((), None)
    steps: Steps = {}
    run: RunRecord | None = None
    notice: str = ""


class _View(msgspec.Struct, frozen=True):
    """What the lines of the tasks are made of."""

    tasks: Tasks
    activity: Activity
    now: datetime
    terminal: TerminalStyle
    timeline: BoardTimeline | None
    has_legend: bool


class Board:
    """The values on show: immutable snapshots, each replaced as a whole, so that any thread may draw them.

    The thread that owns the task store publishes `tasks`. `details` may come from another thread. The board `of_run`
    belongs to the process that runs the tasks, and counts those of this run only.
    """

    def __init__(
        self, terminal: TerminalStyle, *, started: datetime | None = None, hint: str = "", of_run: bool = False
    ) -> None:
        self.terminal = terminal
        self.started = started or datetime.now().astimezone()
        self.hint = hint
        self.of_run = of_run
        self._were_pending: frozenset[TaskId] = frozenset()
        self.tasks: Tasks = {}
        self.details = Details()
        self.selected: TaskId | None = None
        self._drawn: tuple[tuple[object, ...], list[Segment]] | None = None

    def publish(self, tasks: Tasks) -> Tasks:
        """Show a copy of these tasks, and return it."""
        self.tasks = snapshot = MappingProxyType(dict(tasks))
        self._were_pending |= {task.id for task in snapshot.values() if task.is_pending}
        return snapshot

    @property
    def order(self) -> list[TaskId]:
        """The tasks in the order of their lines."""
        return [task.id for task in _in_order(self.tasks)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Draw the board each second, and when something on it has changed; otherwise repeat the last drawing."""
        now, size = datetime.now().astimezone().replace(microsecond=0), console.size
        shown = (now, size, self.tasks, self.details, self.selected, self.hint)
        if self._drawn is None or self._drawn[0] != shown:
            self._drawn = shown, [*console.render(self.frame(now, size.width, size.height), options)]
        yield from self._drawn[1]

    def frame(self, now: datetime, width: int, height: int) -> RenderableType:
        """Return the board for a terminal of `width` cells and `height` lines."""
        tasks, details = self.tasks, self.details
        terminal = msgspec.structs.replace(self.terminal, width=width)
        bottom = [Text(), *self._bottom(tasks, details, now, terminal)]
        rows = max(_MIN_ROWS, height - len(bottom) - 4)  # the clock, an empty line, the titles, and the cursor's line
        run_start = details.run.started if details.run else None
        timeline = board_timeline(tasks.values(), details.steps, run_start, now, width)
        view = _View(tasks, details.activity, now, terminal, timeline, has_legend=height >= _LEGEND_HEIGHT)
        content = _tasks(view, rows, self.selected)
        return Group(_clock(self._counted(details.run), self.started, now, terminal), Text(), content, *bottom)

    def _counted(self, run: RunRecord | None) -> list[Task]:
        """Return the tasks of the run that goes on; all, where none does."""
        if run is None and not self.of_run:
            return [*self.tasks.values()]
        start = run.started if run else self.started
        return [
            task
            for task in self.tasks.values()
            if task.id in self._were_pending
            or (task.attempt and task.attempt.started and task.attempt.started >= start)
        ]

    def _bottom(self, tasks: Tasks, details: Details, now: datetime, terminal: TerminalStyle) -> list[RenderableType]:
        """Return the forecast, the counts, the notice and the hint, whose lines are short already."""
        conflicts, candidate = details.forecast
        notice = [fitted((terminal.clean(details.notice), "bold"))] if details.notice else []
        hint = [fitted((terminal.clean(line), "dim")) for line in self.hint.split("\n")] if self.hint else []
        return [
            *forecast.conflict_summary(conflicts, terminal, _MAX_CONFLICTS),
            *forecast.candidate_summary(candidate, terminal, _MAX_CANDIDATE_LINES),
            _counts(tasks, terminal),
            *([_run_line(details.run, tasks, now, terminal)] if details.run and details.run.max_agents else []),
            *notice,
            *hint,
        ]


def _clock(tasks: Sequence[Task], started: datetime, now: datetime, terminal: TerminalStyle) -> RenderableType:
    processed = sum(task.state not in ALIVE for task in tasks)
    cost = total_cost(tasks)
    grid = Table.grid(padding=(0, 2), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(max_width=_BAR_WIDTH)
    grid.add_column(no_wrap=True)
    clock = Text(f"{now:%H:%M:%S}  {quantities.duration((now - started).total_seconds())}", "dim")
    bar = ProgressBar(total=max(len(tasks), 1), completed=processed, complete_style="green", finished_style="green")
    grid.add_row(clock, bar, Text(f"{processed} of {len(tasks)} done{terminal.dot + cost if cost else ''}", "bold"))
    return grid


def _in_order(tasks: Tasks) -> list[Task]:
    groups = grouped(tasks.values())
    return [task for bucket in _ORDER for task in groups.get(bucket, ())]


def _tasks(view: _View, limit: int, selected: TaskId | None) -> RenderableType:
    """Return the lines of the tasks, up to a limit; with a selected one it has a pointer, and is among them."""
    terminal = view.terminal
    ordered = _in_order(view.tasks)
    if not ordered:
        return Text("no tasks", "dim")
    limit -= view.has_legend and view.timeline is not None
    position = next((number for number, task in enumerate(ordered) if task.id == selected), 0)
    if len(ordered) > limit and position >= limit - 1:  # the selected line is the last one
        ordered = ordered[position - limit + 2 :] + ordered[: position - limit + 2]
    visible = ordered if len(ordered) <= limit else ordered[: limit - 1]
    rows = [_row(task, view) for task in visible]
    if selected is not None:
        pointers = [terminal.pick("→", ">") if task.id == selected else " " for task in visible]
        rows = [[(f"{pointer} {row[0][0]}", row[0][1]), *row[1:]] for pointer, row in zip(pointers, rows, strict=True)]
    lines = [table(_columns(view.timeline), rows, terminal, note=False)]
    if len(visible) < len(ordered):
        hidden = ", ".join(f"{len(group)} {bucket}" for bucket, group in grouped(ordered[len(visible) :]).items())
        lines.append(fitted((f"{terminal.ellipsis}  {hidden} more", "dim")))
    return Group(*lines, *_legend(view, rows))


def _columns(timeline: BoardTimeline | None) -> tuple[Column, ...]:
    """Return the columns; the timeline has the times of its ends as its title."""
    title = timeline.title if timeline else _COLUMNS[_TIMELINE].title
    return (*_COLUMNS[:_TIMELINE], Column(title=title, drop=_COLUMNS[_TIMELINE].drop), *_COLUMNS[_TIMELINE + 1 :])


def _legend(view: _View, rows: Sequence[Row]) -> list[RenderableType]:
    """Return what the characters of the timeline mean, where it has room."""
    positions, _ = visible_columns(_columns(view.timeline), rows, view.terminal)
    if not view.has_legend or _TIMELINE not in positions:
        return []
    return [fitted((legend((row[_TIMELINE][0] for row in rows), view.terminal), "dim"))]


def _row(task: Task, view: _View) -> Row:
    now, terminal = view.now, view.terminal
    symbol, style = labels.mark(task, terminal)
    step = labels.sentence(*labels.next_step(task, view.tasks, now, view.activity.get(task.id, "")))
    agent = task.attempt.agent if task.attempt else task.spec.agent
    is_running = labels.bucket(task) is Bucket.RUNNING
    return [
        (symbol, style),
        (terminal.clean(task.id), "bold" if is_running else ""),
        (f"{task.state}", style),
        (terminal.clean(agent), "dim"),
        (labels.took(task.attempt, now), ""),
        labels.checks(task, terminal),
        (labels.costs(task.usages), ""),
        (view.timeline.bar(task, terminal) if view.timeline else "", ""),
        (
            labels.with_title(terminal.clean(step), task, terminal),
            "red" if labels.needs_attention(task) else "" if is_running else "dim",
        ),
    ]


def _run_line(run: RunRecord, tasks: Tasks, now: datetime, terminal: TerminalStyle) -> Text:
    """Return how many agents the run has and may have, its budget, and until when it starts tasks."""
    running = sum(task.state is State.RUNNING for task in tasks.values())
    parts = (
        f"{running} of at most {quantities.plural(run.max_agents, 'agent')} at work",
        f"budget {quantities.dollars(run.budget)}" if run.budget else "",
        f"starts tasks until {quantities.clock(run.until, now)}" if run.until else "",
    )
    return fitted(joined(((part, "dim") for part in parts if part), terminal))


def _counts(tasks: Tasks, terminal: TerminalStyle) -> Text:
    """Return how many tasks are in each bucket, on one line."""
    counts = (
        (f"{len(group)} {bucket}", labels.bucket_style(bucket) if bucket in labels.NEEDS_YOU else "dim")
        for bucket, group in grouped(tasks.values()).items()
    )
    return fitted(joined(counts, terminal))
