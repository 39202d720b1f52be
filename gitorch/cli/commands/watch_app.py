"""`watch -i`: the board with a selected task, and keys that run the commands of the same names. Needs textual."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ClassVar

from rich.console import RenderableType
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from gitorch.cli.views.board import Board, Tasks
from gitorch.cli.views.live import ReadDetails
from gitorch.executors.foreground import run_on_terminal

HINT = (
    "j, k: task   Enter: review   d: diff   l: log   c: comment   q: quit\n"
    "a: approve   r: revise   K: kill   g: resume   y: retry   m: merge"
)

Run = Callable[["WatchApp", list[str]], None]

_COMMANDS = {
    "enter": ("review",),
    "d": ("diff",),
    "l": ("log",),
    "c": ("comment",),
    "a": ("approve",),
    "r": ("revise",),
    "K": ("kill",),
    "g": ("resume",),
    "y": ("retry",),
}
"""The command of each key; it gets the selected task."""


def run_suspended(app: WatchApp, words: list[str]) -> None:
    """Run a command of gitorch on the terminal of a suspended board, and wait for Enter."""
    with app.suspend():
        print(f"$ orchestrate {' '.join(words)}", flush=True)
        run_on_terminal([sys.executable, "-m", "gitorch", *words])
        print("\nEnter goes back to the board", end="", flush=True)
        sys.stdin.readline()


class WatchApp(App[None]):
    """The board, updated each `interval` seconds. A key suspends it while its command runs."""

    CSS = "Screen { background: transparent; } Static { height: 100%; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("m", "command(['merge'])", show=False),
        *(Binding(key, f"on_task('{words[0]}')", show=False) for key, words in _COMMANDS.items()),
        Binding("q,ctrl+c", "quit", show=False),
    ]

    def __init__(
        self,
        board: Board,
        tasks: Callable[[], Tasks],
        details: ReadDetails,
        *,
        interval: float,
        run: Run = run_suspended,
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

    def action_on_task(self, command: str) -> None:
        """Run a command on the selected task."""
        if self.board.selected is not None:
            self.action_command([command, self.board.selected])

    def action_command(self, words: list[str]) -> None:
        """Run a command on the terminal, and show the board again."""
        self._start(self, words)
        self._update()
        self.refresh()
