"""Progress of a command: a bar that goes away on a terminal, one line a step elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitorch.cli import views

if TYPE_CHECKING:
    from rich.text import Text

    from gitorch.cli.terminal.streams import Screen

ShowStep = Callable[[int, int, Callable[[], "Text"]], None]
"""Takes how many steps of how many are done, and what says what the next one is, which is called if it is shown."""


@contextmanager
def progress_bar(screen: Screen, *, lines: bool) -> Iterator[ShowStep]:
    """Lend a function that shows progress on stderr: in a bar that is removed at the end of the block.

    Where stderr is not a terminal, each step is a line if `lines`, else nothing is shown.
    """
    if screen.quiet or not screen.err_is_live:
        yield _line_printer(screen) if lines and not screen.quiet else _ignore
        return
    with views.running.live_bar.live_bar(screen) as show:
        yield lambda step, total, describe: show(step, total, describe())


def _line_printer(screen: Screen) -> ShowStep:
    return lambda step, total, describe: screen.say(views.running.live_bar.step_line(step, total, describe()))


def _ignore(step: int, total: int, describe: Callable[[], Text]) -> None:
    pass
