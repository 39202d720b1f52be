"""The lines that `run` and `watch` print about tasks that change."""

from __future__ import annotations

from gitorch.cli import schema, views
from gitorch.cli.session import Session
from gitorch.model.task import Task


def print_change(session: Session, task: Task, before: Task | None) -> None:
    """Print what changed in a task since `before`, if it is worth a line."""
    if session.json:
        session.answer("", schema.run.TaskEvent.of(task))
    elif (line := views.events.event_line(task, before)) is not None:
        session.answer(line)
