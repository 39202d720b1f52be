"""Queued tasks as a list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.model.task import Task

_COLUMNS = (
    Column(title="", right=True),
    Column(title=""),
    Column(title="", drop=2),
    Column(title="", drop=1),
    Column(title="", drop=3),
    Column(title=""),
)


def queued(tasks: Sequence[Task], configured: str, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return tasks and who will do them, one a line; `configured` is the agent of those without one."""
    terminal = terminal or stdout_style()
    rows: list[Row] = [
        [
            (str(task.number), ""),
            (task.id, "bold"),
            (task.spec.agent or configured, ""),
            (task.spec.role, ""),
            (f"after {', '.join(task.spec.after)}" if task.spec.after else "", "dim"),
            (terminal.clean(task.title), ""),
        ]
        for task in tasks
    ]
    return table(_COLUMNS, rows, terminal)
