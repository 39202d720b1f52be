"""Queued tasks as a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.services.preflight import TaskStart

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


_ORDER = (
    Column(title="#", right=True),
    Column(title="Task", shrink=20),
    Column(title="Agent", drop=1),
    Column(title="Starts"),
)


def run_order(
    tasks: Sequence[Task],
    agents: Mapping[TaskId, str],
    starts: Mapping[TaskId, TaskStart],
    *,
    terminal: TerminalStyle | None = None,
) -> RenderableType:
    """Return the order in which a run would start tasks, each with its agent and what it starts on."""
    terminal = terminal or stdout_style()
    rows: list[Row] = [
        [
            (str(position), ""),
            (task.id, "bold"),
            (terminal.clean(agents[task.id]), ""),
            (_start(task, starts.get(task.id), terminal), "dim"),
        ]
        for position, task in enumerate(tasks, start=1)
    ]
    return table(_ORDER, rows, terminal) if rows else Text("the queue is empty")


def _start(task: Task, start: TaskStart | None, terminal: TerminalStyle) -> str:
    if start:
        return f"on {terminal.clean(start.name)} {start.commit[:8]}"
    if task.spec.after:
        return f"after {', '.join(task.spec.after)}"
    return f"{task.state}" if task.state is not State.QUEUED else "its base does not exist"
