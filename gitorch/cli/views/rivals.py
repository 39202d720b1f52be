"""Rival attempts next to each other, and which one is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import stack
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views import labels
from gitorch.model import rivals
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

_TITLES = ("#", "", "", "", "Lines", "Checks", "Took", "Cost")


def comparison(
    task: Task, tasks: Mapping[TaskId, Task], terminal: TerminalStyle, now: datetime
) -> RenderableType | None:
    """Return a table of a task's rivals and what picks one; None for a task without rivals."""
    group = rivals.rivals_of(task, tasks.values())
    if not group:
        return None
    proposed = None if rivals.is_decided(group) else rivals.proposal(group)
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for _ in _TITLES:
        grid.add_column(no_wrap=True)
    grid.add_row(*(Text(title, "dim") for title in _TITLES))
    for rival in group:
        grid.add_row(*_cells(rival, terminal, now, is_proposed=proposed is not None and rival.id == proposed.id))
    return stack([grid, _hint(group[0], proposed)])


def _cells(rival: Task, terminal: TerminalStyle, now: datetime, *, is_proposed: bool) -> list[Text]:
    lines = rivals.lines_changed(rival)
    return [
        Text(f"{rivals.number_of(rival)}{'*' if is_proposed else ''}", "bold green" if is_proposed else ""),
        Text(terminal.clean(rival.id), "bold" if is_proposed else ""),
        Text(terminal.clean(rival.spec.agent or "auto")),
        Text(str(rival.state)),
        Text("" if lines is None else str(lines)),
        Text(*labels.checks(rival, terminal)),
        Text(labels.took(rival.attempt, now)),
        Text(labels.costs(rival.usages)),
    ]


def _hint(first: Task, proposed: Task | None) -> Text | None:
    if proposed is None:
        return None
    return Text(f"* proposed: orchestrate approve {first.id}; another: orchestrate approve {first.id} --pick N", "dim")
