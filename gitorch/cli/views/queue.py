"""Tasks that were queued, as a list."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.cli.terminal.layout import Column, Look, Piece, fit, paint
from gitorch.cli.terminal.streams import of_stdout
from gitorch.model.task import Task


def queued(tasks: Sequence[Task], configured: str, *, look: Look | None = None) -> str:
    """Return tasks with who will do them, one a line; `configured` is the agent of those without one."""
    look = look or of_stdout()
    columns = (
        Column(title="", right=True),
        Column(title="Task"),
        Column(title="Agent", hide=2),
        Column(title="Role", hide=1),
        Column(title="After", hide=3),
        Column(title="Title"),
    )
    rows: list[list[Piece]] = [
        [
            (f"{task.number:>4}", ""),
            (task.id, "bold"),
            (task.spec.agent or configured, ""),
            (task.spec.role, ""),
            (f"after {', '.join(task.spec.after)}" if task.spec.after else "", "dim"),
            (look.clean(task.title), ""),
        ]
        for task in tasks
    ]
    fitted = fit(columns, rows, look, "")
    return paint(list(map(fitted.row, rows)), look)
