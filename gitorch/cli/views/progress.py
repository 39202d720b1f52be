"""Progress of a command: a bar that goes away on a terminal, one line a step elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from gitorch.cli.terminal.render import console_for
from gitorch.cli.terminal.streams import Screen

_BAR_WIDTH = 20

ShowStep = Callable[[int, int, Text], None]
"""Takes how many steps of how many are done, and what the next one is."""


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        description: Text = task.fields["text"]
        return description


@contextmanager
def progress_bar(screen: Screen, *, lines: bool) -> Iterator[ShowStep]:
    """Lend a function that shows progress on stderr: in a bar that is removed at the end of the block.

    Where stderr is not a terminal, each step is a line if `lines`, else nothing is shown.
    """
    if screen.quiet or not screen.err_is_live:
        yield _line_printer(screen) if lines else _ignore
        return
    bar = Progress(
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[number]}/{task.total:.0f}", markup=False),
        _Description(table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console_for(screen.stderr, screen.err, live=True),
        transient=True,
    )
    task = bar.add_task("", total=1, number=0, text=Text(), visible=False)

    def show(step: int, total: int, text: Text) -> None:
        changed = bar.tasks[0].fields["text"] != text
        bar.update(task, completed=step, total=total, number=step + 1, text=text, visible=True, refresh=changed)

    with bar:
        yield show


def _line_printer(screen: Screen) -> ShowStep:
    def show(step: int, total: int, text: Text) -> None:
        screen.say(Text.assemble((f"{step + 1}/{total}", "dim"), "  ", text, no_wrap=True, overflow="ignore"))

    return show


def _ignore(step: int, total: int, text: Text) -> None:
    pass
