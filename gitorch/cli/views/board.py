"""The live board of `watch`, and of `run` on a terminal: who works on what, for how long, and how far the night is.

The board holds plain values; a thread of rich draws it, at most four times a second, within the height of the terminal.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from rich.live import Live
from rich.text import Text

from gitorch.cli.terminal.layout import Column, Line, Look, Piece, cut, fit
from gitorch.cli.terminal.sanitize import cells
from gitorch.cli.terminal.streams import Screen
from gitorch.cli.views import forecast, labels
from gitorch.cli.views.labels import Turn
from gitorch.cli.views.status import grouped, total
from gitorch.model.forecast import Foreseen
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from rich.console import Console

FRAMES_PER_SECOND = 4
_BAR_WIDTH = 40
_FEWEST_ROWS = 3
_MOST_CONFLICTS = 3
_LOCAL_MODES = 3  # the place of `lflag` in what termios tells

Tasks = Mapping[TaskId, Task]
Activity = Mapping[TaskId, str]
_Result = TypeVar("_Result")

_COLUMNS = (
    Column(title=""),
    Column(title="Task"),
    Column(title="State"),
    Column(title="Agent", hide=4),
    Column(title="Took", right=True, hide=1),
    Column(title="Checks", hide=2),
    Column(title="Cost", right=True, hide=3),
    Column(title="What it does"),
)

_ORDER = (
    Turn.RUNNING,
    Turn.ANSWER,
    Turn.PAUSED,
    Turn.MEND,
    Turn.RESOLVE,
    Turn.REVIEW,
    Turn.QUEUED,
    Turn.MERGE,
    Turn.MERGED,
    Turn.DROPPED,
)


class Board:
    """What is shown now. It may be changed from any thread; drawing never waits for anything."""

    def __init__(self, look: Look, *, started: datetime | None = None, hint: str = "") -> None:
        self.look = look
        self.started = started or datetime.now().astimezone()
        self.hint = hint
        self.tasks: Tasks = {}
        self.activity: Activity = {}
        self.foreseen: Foreseen = ((), None)

    def lines(self, now: datetime, width: int, height: int) -> list[Line]:
        """Return the board as lines that fit into `width` cells and `height` lines."""
        tasks, activity = self.tasks, self.activity
        look = Look(width=width, colour=self.look.colour, symbols=self.look.symbols, charset=self.look.charset)
        top = [_clock_line(tasks, self.started, now, look), []]
        bottom: list[Line] = [
            [],
            *forecast.will_conflict(self.foreseen[0][:_MOST_CONFLICTS], look),
            *forecast.candidate(self.foreseen[1], look)[:_MOST_CONFLICTS],
            _counts(tasks, look),
            *([[(look.clean(self.hint, width), "dim")]] if self.hint else []),
        ]
        room = max(_FEWEST_ROWS, height - len(top) - len(bottom) - 1)
        return [cut(line, look) for line in (*top, *_rows(tasks, activity, now, look, room), *bottom)]

    def text(self, console: Console) -> Text:
        """Return the board as rich text for this console, as large as its terminal is now."""
        size = console.size
        lines = self.lines(datetime.now().astimezone(), size.width, size.height)
        return Text("\n", no_wrap=True, end="").join(_rich(line) for line in lines)


def _rich(line: Line) -> Text:
    return Text.assemble(*line, no_wrap=True, overflow="crop")


def _clock_line(tasks: Tasks, started: datetime, now: datetime, look: Look) -> Line:
    done = sum(task.state not in (State.QUEUED, State.RUNNING, State.WAITING) for task in tasks.values())
    said = f"{done} of {len(tasks)} done"
    left = f"{now:%H:%M:%S}  {labels.duration((now - started).total_seconds())}  "
    spent = total(tasks.values())
    right = f"  {said}{look.dot + spent if spent else ''}"
    room = (look.width or 80) - cells(left) - cells(right)
    if room < 8:
        return [(left, "dim"), (said, "bold")]
    return [(left, "dim"), *_bar(done, len(tasks), min(room, _BAR_WIDTH), look), (right, "bold")]


def _bar(done: int, of: int, width: int, look: Look) -> Line:
    """Draw how much is done; the last cell is full only when all is."""
    filled = width * done // of if of else 0
    full, empty = look.pick("━", "#"), look.pick("─", "-")
    return [(full * filled, "green"), (empty * (width - filled), "dim")]


def _rows(tasks: Tasks, activity: Activity, now: datetime, look: Look, room: int) -> list[Line]:
    groups = grouped(tasks.values())
    ordered = [task for one in _ORDER for task in groups.get(one, ())]
    shown = ordered if len(ordered) <= room else ordered[: room - 1]
    if not shown:
        return [[("no tasks", "dim")]]
    rows = [_row(task, tasks, activity, now, look) for task in shown]
    fitted = fit(_COLUMNS, rows, look, " ")
    lines = [fitted.row(row) for row in rows]
    if rest := ordered[len(shown) :]:
        lines.append([(f" {look.ellipsis} {_told(rest)} more", "dim")])
    return lines


def _told(tasks: Sequence[Task]) -> str:
    return ", ".join(f"{len(group)} {one}" for one, group in grouped(tasks).items())


def _row(task: Task, tasks: Tasks, activity: Activity, now: datetime, look: Look) -> list[Piece]:
    symbol, style = labels.mark(task, look)
    verb, why = labels.step(task, tasks, now, activity.get(task.id, ""))
    said = look.clean(f"{verb}: {why}" if verb and why else verb or why, look.width)
    agent = task.attempt.agent if task.attempt else task.spec.agent
    live = labels.turn(task) is Turn.RUNNING
    red = labels.turn(task) in (Turn.MEND, Turn.RESOLVE) or task.passed is False
    return [
        (symbol, style),
        (look.clean(task.id, max(14, (look.width or 80) // 3)), "bold" if live else ""),
        (f"{task.state}", style),
        (look.clean(agent), "dim"),
        (labels.took(task.attempt, now), ""),
        labels.checks(task, look),
        (labels.cost(task.spent), ""),
        (said, "red" if red else "" if live else "dim"),
    ]


def _counts(tasks: Tasks, look: Look) -> Line:
    groups = grouped(tasks.values())
    parts: Line = []
    for one, group in groups.items():
        text = f"{look.dot if parts else ''}{len(group)} {one}"
        if sum(cells(part) for part, _ in parts) + cells(text) <= (look.width or 80):
            parts.append((text, labels.style(one) if one in labels.YOURS else "dim"))
    return parts


# ------------------------------------------------------------------------------------------------------ live


@contextmanager
def live(board: Board, screen: Screen, *, whole_screen: bool = False) -> Iterator[None]:
    """Draw a board until the block ends; the last picture stays, unless it had the whole screen for itself."""
    console = screen.console
    with (
        _without_echo(),
        Live(
            get_renderable=lambda: board.text(console),
            console=console,
            refresh_per_second=FRAMES_PER_SECOND,
            screen=whole_screen,
            vertical_overflow="crop",
        ) as drawn,
    ):
        drawn.refresh()  # the first picture at once, not with the first tick
        yield


@contextmanager
def _without_echo() -> Iterator[None]:
    """Let the terminal not show what is typed: each Enter would push the picture up by a line, and leave half of it."""
    keyboard = _keyboard()
    if keyboard is None:
        yield
        return
    descriptor, before = keyboard
    quiet = [*before]
    quiet[_LOCAL_MODES] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _keyboard() -> tuple[int, list[Any]] | None:
    """Return the terminal that is typed on, and its modes; None where there is none, or another program has it."""
    try:
        descriptor = sys.stdin.fileno()
        ours = os.tcgetpgrp(descriptor) == os.getpgrp()
        return (descriptor, termios.tcgetattr(descriptor)) if ours else None
    except (OSError, ValueError, AttributeError, termios.error):
        return None


def watch(
    tasks: Callable[[], Tasks],
    activity: Callable[[], Activity],
    foreseen: Callable[[], Foreseen] = lambda: ((), None),
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Show the board until Ctrl-C (or `stop`), looking again each `interval` seconds."""
    screen, stop = screen or Screen.of_process(), stop or threading.Event()
    board = Board(screen.out, hint="Ctrl-C ends the watching, not the work")
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
    foreseen: Callable[[], Foreseen] = lambda: ((), None),
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
) -> _Result:
    """Carry `changes` on to its end, with the board on the terminal meanwhile; return what it returns.

    `tasks` is called between two changes. `activity` is called each `interval` seconds by a thread of its own, while
    a change is waited for: it must not share a store or any other state with `changes`.
    """
    screen = screen or Screen.of_process()
    board = Board(screen.out, hint="Ctrl-C stops the agents; their work is kept")
    board.tasks = dict(tasks())
    over = threading.Event()

    def look_again() -> None:
        while not over.wait(interval):
            board.activity, board.foreseen = dict(activity()), foreseen()

    looking = threading.Thread(target=look_again, name="board", daemon=True)
    with live(board, screen):
        looking.start()
        try:
            return _carried(changes, tasks, board)
        finally:
            over.set()
            looking.join()
            board.hint, board.activity, board.foreseen = "", {}, ((), None)


def _carried(changes: Generator[Iterable[Task], None, _Result], tasks: Callable[[], Tasks], board: Board) -> _Result:
    while True:
        try:
            next(changes)
        except StopIteration as end:
            board.tasks = dict(tasks())
            result: _Result = end.value
            return result
        board.tasks = dict(tasks())
