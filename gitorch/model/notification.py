"""What a run tells a person who is not watching: the events, as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.outcome import ExitReason
from gitorch.model.task import State, Task
from gitorch.model.visible import visible

_MAX_TEXT = 500


class NotificationKind(StrEnum):
    """What happened."""

    ENDED = "run-ended"
    QUESTION = "question"
    LIMIT = "limit"
    HELD = "agent-held"
    BUDGET = "budget"
    CHANGED = "checkout-changed"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `title` is a line; `message` can quote agents, without control characters."""

    kind: NotificationKind
    title: str
    message: str = ""
    task: TaskId | None = None


def notification(kind: NotificationKind, title: str, message: str = "", task: TaskId | None = None) -> Notification:
    """Return a notification whose texts are short and hold no control characters."""
    return Notification(kind=kind, title=_cleaned(title), message=_cleaned(message), task=task)


def of_task(task: Task) -> Notification | None:
    """Return what a person wants to hear of a task that has changed: that it asks, or that its agent met a limit."""
    if task.question:
        return notification(NotificationKind.QUESTION, f"{task.id} asks", task.question, task.id)
    if task.has_result:
        title = f"{task.id} has an answer"
        return notification(NotificationKind.QUESTION, title, task.reason, task.id)
    is_limited = task.attempt is not None and task.attempt.ending == ExitReason.LIMITED
    if task.state is State.WAITING and is_limited and task.wake is not None:
        return of_limit(task.spec.agent, task.wake)
    return None


def of_limit(agent: str, until: datetime) -> Notification:
    """Return that an agent has met a limit: equal for all of its tasks."""
    title = f"{agent} has reached its limit"
    return notification(NotificationKind.LIMIT, title, f"it goes on at {until.astimezone():%a %H:%M}")


def of_end(tasks: Sequence[Task], stopped: str, usd: float | None) -> Notification:
    """Return that a run has ended: how many of the tasks that it changed are in each state, and why it stopped."""
    counts = {state: sum(task.state is state for task in tasks) for state in State}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing ran"
    cost = f"it cost ${usd:.2f}" if usd else ""
    return notification(
        NotificationKind.ENDED, f"the run has ended: {states}", "; ".join(filter(None, (stopped, cost)))
    )


def _cleaned(text: str) -> str:
    return " ".join(visible(text).split())[:_MAX_TEXT]
