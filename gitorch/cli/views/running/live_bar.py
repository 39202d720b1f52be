"""Progress of a command as rich shows it: a bar on a terminal, which goes away, or a line for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from gitorch.cli.terminal.render import console_for
from gitorch.cli.terminal.streams import Screen

_BAR_WIDTH = 20


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        description: Text = task.fields["text"]
        return description


@contextmanager
def live_bar(screen: Screen) -> Iterator[Callable[[int, int, Text], None]]:
    """Lend a function that shows progress in a bar on stderr, which is removed at the end of the block."""
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


def step_line(step: int, total: int, text: Text) -> Text:
    """Return the line of a step: its number of how many, and what it does."""
    return Text.assemble((f"{step + 1}/{total}", "dim"), "  ", text, no_wrap=True, overflow="ignore")
