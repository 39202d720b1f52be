"""The live board of `watch`, and of `run` on a terminal: what each agent is doing, and how far the run is.

The board holds plain values; a thread of rich draws it, at most four times a second, within the height of the terminal.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import fitted, joined
from gitorch.cli.terminal.render import console_for
from gitorch.cli.terminal.streams import Screen
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import forecast, labels
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.status import grouped, total_cost
from gitorch.model.forecast import ForecastSummary
from gitorch.model.generators import drain
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task

FRAMES_PER_SECOND = 4
_BAR_WIDTH = 40
_MIN_ROWS = 3
_MAX_CONFLICTS = 3
_MAX_CANDIDATE_LINES = 3
_LOCAL_MODES = 3  # the position of `lflag` in the list of termios

Tasks = Mapping[TaskId, Task]
Activity = Mapping[TaskId, str]
_Result = TypeVar("_Result")

_COLUMNS = (
    Column(title=""),
    Column(title="Task"),
    Column(title="State"),
    Column(title="Agent", drop=4),
    Column(title="Took", right=True, drop=1),
    Column(title="Checks", drop=2),
    Column(title="Cost", right=True, drop=3),
    Column(title="Activity"),
)

_ORDER = (
    Bucket.RUNNING,
    Bucket.ANSWER,
    Bucket.PAUSED,
    Bucket.FIX,
    Bucket.RESOLVE,
    Bucket.REVIEW,
    Bucket.QUEUED,
    Bucket.MERGE,
    Bucket.MERGED,
    Bucket.DROPPED,
)


class Board:
    """What is shown now. Any thread may change it; drawing never waits for anything."""

    def __init__(self, terminal: TerminalStyle, *, started: datetime | None = None, hint: str = "") -> None:
        self.terminal = terminal
        self.started = started or datetime.now().astimezone()
        self.hint = hint
        self.tasks: Tasks = {}
        self.activity: Activity = {}
        self.foreseen: ForecastSummary = ((), None)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        size = console.size
        yield self.frame(datetime.now().astimezone(), size.width, size.height)

    def frame(self, now: datetime, width: int, height: int) -> RenderableType:
        """Return the board for a terminal of `width` cells and `height` lines."""
        tasks, activity = self.tasks, self.activity
        terminal = msgspec.structs.replace(self.terminal, width=width)
        bottom = [Text(), *self._bottom(tasks, terminal)]
        rows = max(_MIN_ROWS, height - len(bottom) - 4)  # the clock, an empty line, the titles, and the cursor's line
        return Group(
            _clock(tasks, self.started, now, terminal), Text(), _tasks(tasks, activity, now, terminal, rows), *bottom
        )

    def _bottom(self, tasks: Tasks, terminal: TerminalStyle) -> list[RenderableType]:
        """Return the forecast, the counts and the hint, each on one line."""
        conflicts, candidate = self.foreseen
        hint = [fitted((terminal.clean(self.hint), "dim"))] if self.hint else []
        return [
            *forecast.conflict_summary(conflicts, terminal, _MAX_CONFLICTS),
            *forecast.candidate_summary(candidate, terminal, _MAX_CANDIDATE_LINES),
            _counts(tasks, terminal),
            *hint,
        ]


def _clock(tasks: Tasks, started: datetime, now: datetime, terminal: TerminalStyle) -> RenderableType:
    processed = sum(task.state not in (State.QUEUED, State.RUNNING, State.WAITING) for task in tasks.values())
    cost = total_cost(tasks.values())
    grid = Table.grid(padding=(0, 2), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(max_width=_BAR_WIDTH)
    grid.add_column(no_wrap=True)
    clock = Text(f"{now:%H:%M:%S}  {labels.duration((now - started).total_seconds())}", "dim")
    bar = ProgressBar(total=max(len(tasks), 1), completed=processed, complete_style="green", finished_style="green")
    grid.add_row(clock, bar, Text(f"{processed} of {len(tasks)} done{terminal.dot + cost if cost else ''}", "bold"))
    return grid


def _tasks(tasks: Tasks, activity: Activity, now: datetime, terminal: TerminalStyle, limit: int) -> RenderableType:
    groups = grouped(tasks.values())
    ordered = [task for bucket in _ORDER for task in groups.get(bucket, ())]
    visible = ordered if len(ordered) <= limit else ordered[: limit - 1]
    if not visible:
        return Text("no tasks", "dim")
    rows = [_row(task, tasks, activity, now, terminal) for task in visible]
    content = table(_COLUMNS, rows, terminal, note=False)
    if len(visible) == len(ordered):
        return content
    hidden = ", ".join(f"{len(group)} {bucket}" for bucket, group in grouped(ordered[len(visible) :]).items())
    return Group(content, fitted((f"{terminal.ellipsis}  {hidden} more", "dim")))


def _row(task: Task, tasks: Tasks, activity: Activity, now: datetime, terminal: TerminalStyle) -> Row:
    symbol, style = labels.mark(task, terminal)
    step = labels.sentence(*labels.next_step(task, tasks, now, activity.get(task.id, "")))
    agent = task.attempt.agent if task.attempt else task.spec.agent
    is_running = labels.bucket(task) is Bucket.RUNNING
    return [
        (symbol, style),
        (terminal.clean(task.id), "bold" if is_running else ""),
        (f"{task.state}", style),
        (terminal.clean(agent), "dim"),
        (labels.took(task.attempt, now), ""),
        labels.checks(task, terminal),
        (labels.cost(task.usage), ""),
        (terminal.clean(step), "red" if labels.needs_attention(task) else "" if is_running else "dim"),
    ]


def _counts(tasks: Tasks, terminal: TerminalStyle) -> Text:
    """Return how many tasks are in each bucket, on one line."""
    counts = (
        (f"{len(group)} {bucket}", labels.bucket_style(bucket) if bucket in labels.NEEDS_YOU else "dim")
        for bucket, group in grouped(tasks.values()).items()
    )
    return fitted(joined(counts, terminal))


# ------------------------------------------------------------------------------------------------------ live


@contextmanager
def live(board: Board, screen: Screen, *, whole_screen: bool = False) -> Iterator[None]:
    """Draw a board until the block ends; the last frame stays, unless it had the whole screen for itself."""
    display = Live(
        board,
        console=console_for(screen.stdout, screen.out, live=True),
        refresh_per_second=FRAMES_PER_SECOND,
        screen=whole_screen,
        vertical_overflow="crop",
    )
    with _no_echo(), display:
        display.refresh()  # the first frame at once, not with the first tick
        yield


@contextmanager
def _no_echo() -> Iterator[None]:
    """Do not show what is typed: each Enter would push the frame up by a line, and leave half of it."""
    keyboard = _keyboard()
    if keyboard is None:
        yield
        return
    descriptor, modes = keyboard
    silent = [*modes]
    silent[_LOCAL_MODES] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


def _keyboard() -> tuple[int, list[Any]] | None:
    """Return the terminal that is typed on, and its modes; None without one, or where another program has it."""
    try:
        descriptor = sys.stdin.fileno()
        is_foreground = os.tcgetpgrp(descriptor) == os.getpgrp()
        return (descriptor, termios.tcgetattr(descriptor)) if is_foreground else None
    except (OSError, ValueError, AttributeError, termios.error):
        return None


def watch(
    tasks: Callable[[], Tasks],
    activity: Callable[[], Activity],
    foreseen: Callable[[], ForecastSummary] = lambda: ((), None),
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Show the board until Ctrl-C (or `stop`), and update it each `interval` seconds."""
    screen, stop = screen or Screen.of_process(), stop or threading.Event()
    board = Board(screen.out, hint="Ctrl-C stops watching, not the run")
    board.tasks, board.activity, board.foreseen = dict(tasks()), dict(activity()), foreseen()
    try:
        with live(board, screen, whole_screen=True):
            while not stop.wait(interval):
                board.tasks, board.activity, board.foreseen = dict(tasks()), dict(activity()), foreseen()
    except KeyboardInterrupt:
        return


def follow(
    changes: Generator[Iterable[Task], None, _Result],
    tasks: Callable[[], Tasks],
    activity: Callable[[], Activity],
    foreseen: Callable[[], ForecastSummary] = lambda: ((), None),
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
) -> _Result:
    """Run `changes` to its end with the board on the terminal, and return its result.

    `tasks` is called between two changes. `activity` is called each `interval` seconds by a thread of its own, while
    a change is waited for: it must not share a store or any other state with `changes`.
    """
    screen = screen or Screen.of_process()
    board = Board(screen.out, hint="Ctrl-C stops the agents; their work is kept")
    board.tasks = dict(tasks())
    finished = threading.Event()

    def poll() -> None:
        while not finished.wait(interval):
            board.activity, board.foreseen = dict(activity()), foreseen()

    def update(_changed: Iterable[Task]) -> None:
        board.tasks = dict(tasks())

    poller = threading.Thread(target=poll, name="board", daemon=True)
    with live(board, screen):
        poller.start()
        try:
            result = drain(changes, update)
            board.tasks = dict(tasks())
            return result
        finally:
            finished.set()
            poller.join()
            board.hint, board.activity, board.foreseen = "", {}, ((), None)
