"""The list of operations: what can be undone and redone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType

from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import quantities
from gitorch.flow.undo import UndoEntry

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="When", drop=2),
    Column(title="Operation"),
    Column(title="Tasks", drop=1),
    Column(title=""),
)


def operations(
    undone: Sequence[UndoEntry], done: Sequence[UndoEntry], now: datetime, *, terminal: TerminalStyle | None = None
) -> RenderableType | str:
    """Return the operations that were undone, then those that were not, the newest first."""
    terminal = terminal or stdout_style()
    rows = [_row(entry, "redo", now, terminal) for entry in reversed(undone)]
    rows += [_row(entry, "undo", now, terminal) for entry in done]
    return table(_COLUMNS, rows, terminal) if rows else "nothing to undo"


def _row(entry: UndoEntry, verb: str, now: datetime, terminal: TerminalStyle) -> Row:
    operation = entry.operation
    tasks = ", ".join(change.task for change in operation.changes)
    return [
        (str(operation.origin), ""),
        (quantities.clock(operation.created, now), "dim"),
        (terminal.clean(operation.summary), "dim" if verb == "redo" else ""),
        (terminal.clean(tasks), ""),
        (verb, "green") if entry.why_not is None else (terminal.clean(reason(entry)), "dim"),
    ]


def reason(entry: UndoEntry) -> str:
    """Return why an operation cannot be undone or redone; empty where it can."""
    return entry.why_not.what.partition(": ")[2] if entry.why_not else ""
