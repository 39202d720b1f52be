"""`watch -i`: the board with a selected task, and keys that run the commands of the same names. Needs textual."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from gitorch.cli.views.running.board import Board, Tasks
from gitorch.cli.views.running.live import ReadDetails
from gitorch.executors.foreground import run_on_terminal

HINT = "j, k: task   Enter: review   a: approve   r: revise   m: merge\n?: all keys   q: quit"
ALL_KEYS = (
    "Enter review · d diff · v your viewer · i since the last verdict\n"
    "c comment · e edit the review · s summary · t run the checks\n"
    "a approve · r revise · x reject · K kill · g resume · y retry\n"
    "l log · o try it (preview) · m merge · u undo · p report · ? less"
)

Run = Callable[["WatchApp", list[str]], None]

_COMMANDS: dict[str, tuple[str, ...]] = {
    "enter": ("review",),
    "d": ("diff",),
    "v": ("diff", "--viewer"),
    "i": ("diff", "--since-review"),
    "c": ("comment",),
    "e": ("review", "-e"),
    "s": ("task",),
    "t": ("check",),
    "a": ("approve",),
    "r": ("revise",),
    "x": ("reject",),
    "K": ("kill",),
    "g": ("resume",),
    "y": ("retry",),
    "l": ("log",),
    "o": ("preview",),
}
"""The command of each key; it gets the selected task."""

_OTHERS: dict[str, tuple[str, ...]] = {"m": ("merge",), "u": ("undo",), "p": ("report",)}
"""The commands of keys that are about no task."""


def running_in(start: Path) -> Run:
    """Return what runs a command of gitorch in a folder, on the terminal of a suspended board, and waits for Enter."""

    def run(app: WatchApp, words: list[str]) -> None:
        with app.suspend():
            print(f"$ orchestrate {' '.join(words)}", flush=True)
            run_on_terminal([sys.executable, "-m", "gitorch", "-C", str(start), *words])
            print("\nEnter goes back to the board", end="", flush=True)
            sys.stdin.readline()

    return run


class WatchApp(App[None]):
    """The board, updated each `interval` seconds. A key suspends it while its command runs."""

    CSS = "Screen { background: transparent; } Static { height: 100%; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        *(Binding(key, f"on_task({words!r})", show=False) for key, words in _COMMANDS.items()),
        *(Binding(key, f"command({words!r})", show=False) for key, words in _OTHERS.items()),
        Binding("question_mark", "explain", show=False),
        Binding("q,ctrl+c", "quit", show=False),
    ]

    def __init__(
        self,
        board: Board,
        tasks: Callable[[], Tasks],
        details: ReadDetails,
        *,
        interval: float,
        run: Run,
    ) -> None:
        super().__init__(ansi_color=True)
        self.board = board
        self._read_tasks = tasks
        self._read_details = details
        self._seconds = interval
        self._start = run

    def compose(self) -> ComposeResult:
        yield Static(self._frame())

    def on_mount(self) -> None:
        self._update()
        self.set_interval(self._seconds, self._update)

    def _frame(self) -> RenderableType:
        return self.board

    def _update(self) -> None:
        """Read the tasks and draw them; the selected one stays selected."""
        self.board.details = self._read_details(self.board.publish(self._read_tasks()))
        order = self.board.order
        if self.board.selected not in order:
            self.board.selected = order[0] if order else None
        self.query_one(Static).update(self._frame())

    def action_move(self, step: int) -> None:
        """Select the next or the previous task."""
        order = self.board.order
        if self.board.selected in order:
            position = order.index(self.board.selected) + step
            self.board.selected = order[min(max(position, 0), len(order) - 1)]
            self.query_one(Static).update(self._frame())

    def action_explain(self) -> None:
        """Show all keys, or only the first ones again."""
        self.board.hint = HINT if self.board.hint == ALL_KEYS else ALL_KEYS
        self.query_one(Static).update(self._frame())

    def action_on_task(self, words: Sequence[str]) -> None:
        """Run a command on the selected task."""
        if self.board.selected is not None:
            self.action_command([*words, self.board.selected])

    def action_command(self, words: Sequence[str]) -> None:
        """Run a command on the terminal, and show the board again."""
        self._start(self, [*words])
        self._update()
        self.refresh()
