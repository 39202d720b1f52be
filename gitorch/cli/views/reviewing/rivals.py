"""Rival attempts next to each other, and which one is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import LABEL_WIDTH, prose, stack
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import labels
from gitorch.model import rivals
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task", shrink=6),
    Column(title="Agent", drop=1),
    Column(title="State"),
    Column(title="Lines", right=True),
    Column(title="Took", right=True, drop=3),
    Column(title="Cost", right=True, drop=2),
    Column(title="Checks"),
)


def comparison(
    task: Task, tasks: Mapping[TaskId, Task], terminal: TerminalStyle, now: datetime
) -> RenderableType | None:
    """Return a table of a task's rivals and what picks one, beside a label; None for a task without rivals."""
    group = rivals.rivals_of(task, tasks.values())
    if not group:
        return None
    proposed = None if rivals.is_decided(group) else rivals.proposal(group)
    room = None if terminal.width is None else max(terminal.width - LABEL_WIDTH, 0)
    rows = [_row(rival, terminal, now, is_proposed=proposed is not None and rival.id == proposed.id) for rival in group]
    return stack([table(_COLUMNS, rows, msgspec.structs.replace(terminal, width=room)), _hint(group[0], proposed)])


def _row(rival: Task, terminal: TerminalStyle, now: datetime, *, is_proposed: bool) -> Row:
    lines = rivals.lines_changed(rival)
    return [
        (f"{rivals.number_of(rival)}{'*' if is_proposed else ' '}", "bold green" if is_proposed else ""),
        (terminal.clean(rival.id), "bold" if is_proposed else ""),
        (terminal.clean(rival.spec.agent or "auto"), ""),
        (str(rival.state), ""),
        ("" if lines is None else str(lines), ""),
        (labels.took(rival.attempt, now), ""),
        (labels.costs(rival.usages), ""),
        labels.checks(rival, terminal),
    ]


def _hint(first: Task, proposed: Task | None) -> Text | None:
    if proposed is None:
        return None
    return prose((f"* proposed: orchestrate approve {first.id} picks it, and --pick N another", "dim"))
