"""The list of operations: what can be undone and redone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, prose, section, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import quantities
from gitorch.flow.undo import UndoEntry

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="When", drop=1),
    Column(title="Operation"),
    Column(title="Tasks", drop=2),
    Column(title=""),
)


def operations(
    undone: Sequence[UndoEntry], done: Sequence[UndoEntry], now: datetime, *, terminal: TerminalStyle | None = None
) -> RenderableType | str:
    """Return the operations that were undone, then those that were not, the newest first; and where undo would stop."""
    terminal = terminal or stdout_style()
    rows = [_row(entry, "redo", now, terminal) for entry in reversed(undone)]
    rows += [_row(entry, "undo", now, terminal) for entry in done]
    if not rows:
        return "nothing to undo"
    # an operation after one that is refused is refused for that reason alone
    stops = [next((entry for entry in entries if entry.why_not), None) for entries in (undone, done)]
    refusals = [_refusal(entry, terminal) for entry in stops if entry]
    return stack([table(_COLUMNS, rows, terminal), *section(terminal, *refusals)])


def _refusal(entry: UndoEntry, terminal: TerminalStyle) -> RenderableType:
    number = (str(entry.operation.origin), "bold")
    words = entry.why_not.what if entry.why_not else ""
    return bullets([(number, prose((terminal.clean(words), "yellow")))]) or Text()


def _row(entry: UndoEntry, verb: str, now: datetime, terminal: TerminalStyle) -> Row:
    operation = entry.operation
    tasks = ", ".join(change.task for change in operation.changes)
    return [
        (str(operation.origin), ""),
        (quantities.clock(operation.created, now), "dim"),
        (terminal.clean(operation.summary), "dim" if verb == "redo" else ""),
        (terminal.clean(tasks), ""),
        (verb, "green") if entry.why_not is None else ("", ""),
    ]


def reason(entry: UndoEntry) -> str:
    """Return why an operation cannot be undone or redone; empty where it can."""
    return entry.why_not.what.partition(": ")[2] if entry.why_not else ""
