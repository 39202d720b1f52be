"""The board on a terminal during a run.

A thread of rich draws it, at most four times a second, within the height of the terminal. It gets immutable snapshots:
the thread that owns the task store publishes the tasks, and no other thread reads the store.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, TypeVar

from rich.live import Live

from gitorch.cli.terminal.interrupts import interrupts_deferred
from gitorch.cli.terminal.render import console_for
from gitorch.cli.terminal.streams import Screen
from gitorch.cli.views.running.board import Board, Details, Tasks
from gitorch.model.generators import drain
from gitorch.model.task import Task

FRAMES_PER_SECOND = 4
_LOCAL_MODES = 3  # the position of `lflag` in the list of termios

_SHOW_CURSOR = b"\x1b[?25h\n"
_terminals: list[Callable[[], None]] = []
"""How to give back what boards changed on the terminal, without their help."""

ReadDetails = Callable[[Tasks], Details]
_Result = TypeVar("_Result")


def no_details(tasks: Tasks) -> Details:  # noqa: ARG001
    """Return no details."""
    return Details()


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
    with _whole(_no_echo()), _whole(_cursor(screen)), _whole(display):
        display.refresh()  # the first frame at once, not with the first tick
        yield


@contextmanager
def _whole(setting: AbstractContextManager[object]) -> Iterator[None]:
    """Enter and leave a setting of the terminal wholly, whenever Ctrl-C comes."""
    stack = ExitStack()
    try:
        with interrupts_deferred():
            stack.enter_context(setting)
        yield
    finally:
        with interrupts_deferred():
            stack.close()


@contextmanager
def _no_echo() -> Iterator[None]:
    """Turn off the echo of typed keys: Enter would push the frame up by a line and leave half of it behind."""
    keyboard = _keyboard()
    if keyboard is None:
        yield
        return
    descriptor, modes = keyboard
    silent = [*modes]
    silent[_LOCAL_MODES] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
    _terminals.append(lambda: termios.tcsetattr(descriptor, termios.TCSANOW, modes))
    try:
        yield
    finally:
        _terminals.pop()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


@contextmanager
def _cursor(screen: Screen) -> Iterator[None]:
    """Know how to show the cursor again, which the display in this block hides."""
    _terminals.append(lambda: _write(screen, _SHOW_CURSOR))
    try:
        yield
    finally:
        _terminals.pop()


def _write(screen: Screen, text: bytes) -> None:
    with suppress(OSError):
        os.write(screen.stdout.fileno(), text)


def give_back_terminal() -> None:
    """Show the cursor and echo typed keys again, for a process that ends in the midst of a board."""
    for give_back in reversed(_terminals):
        give_back()


def _keyboard() -> tuple[int, list[Any]] | None:
    """Return the terminal's descriptor and modes; None without a terminal, or in the background."""
    try:
        descriptor = sys.stdin.fileno()
        is_foreground = os.tcgetpgrp(descriptor) == os.getpgrp()
        return (descriptor, termios.tcgetattr(descriptor)) if is_foreground else None
    except (OSError, ValueError, AttributeError, termios.error):
        return None


def watch(
    tasks: Callable[[], Tasks],
    read: ReadDetails = no_details,
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Show the board until Ctrl-C (or `stop`), and update it each `interval` seconds."""
    screen, stop = screen or Screen.of_process(), stop or threading.Event()
    board = Board(screen.out, hint="Ctrl-C stops watching, not the run")

    def update() -> None:
        board.details = read(board.publish(tasks()))

    update()
    try:
        with live(board, screen, whole_screen=True):
            while not stop.wait(interval):
                update()
    except KeyboardInterrupt:
        return


def follow(
    changes: Generator[Iterable[Task], None, _Result],
    tasks: Callable[[], Tasks],
    read: ReadDetails = no_details,
    *,
    interval: float = 1.0,
    screen: Screen | None = None,
) -> _Result:
    """Run `changes` to its end with the board on the terminal, and return its result.

    `tasks` is called between two changes, by this thread. `read` is called each `interval` seconds by a thread of its
    own, with the last snapshot of the tasks: it must not share a store or any other state with `changes`.
    """
    screen = screen or Screen.of_process()
    board = Board(screen.out, hint="Ctrl-C stops the agents; their work is kept", of_run=True)
    board.publish(tasks())
    finished = threading.Event()

    def poll() -> None:
        while not finished.wait(interval):
            board.details = read(board.tasks)

    poller = threading.Thread(target=poll, name="board", daemon=True)
    with live(board, screen):
        poller.start()
        try:
            result = drain(changes, lambda _changed: board.publish(tasks()))
            board.publish(tasks())
            return result
        finally:
            finished.set()
            poller.join()
            board.hint, board.details = "", Details()
