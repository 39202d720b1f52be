"""Who took over from an agent that had reached its limit, in words."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from gitorch.cli.terminal.blocks import prose
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.quantities import plural
from gitorch.model.task import State, Task

_MOST_NAMES = 3
_OVER = (State.MERGED, State.REJECTED, State.CANCELLED)


def takeovers(tasks: Iterable[Task]) -> list[tuple[str, str]]:
    """Return for each pair of agents the tasks that changed hands, and what to say about them."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        if task.attempt and task.attempt.instead_of and task.state not in _OVER:
            groups.setdefault((task.attempt.instead_of, task.attempt.agent), []).append(task)
    return [
        (_names(group), f"{agent} took over from {asked_for}, which had reached its limit")
        for (asked_for, agent), group in groups.items()
    ]


def takeover_lines(tasks: Iterable[Task], terminal: TerminalStyle) -> list[RenderableType]:
    """Return a line for each pair of agents."""
    return [
        prose((f"{terminal.clean(said)}: ", "yellow"), (terminal.clean(names), "bold"))
        for names, said in takeovers(tasks)
    ]


def _names(tasks: list[Task]) -> str:
    names = ", ".join(task.id for task in tasks[:_MOST_NAMES])
    hidden = len(tasks) - _MOST_NAMES
    return f"{names} and {plural(hidden, 'other')}" if hidden > 0 else names
