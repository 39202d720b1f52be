"""The conversation about a plan: what was written, what the model proposes, and the verbs of the dialog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import block, bullets, prose, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.model.plan import Difference, PlanMessage, PlannedTask
from gitorch.model.plan.difference import FieldChange

_MAX_VALUE_LENGTH = 160


def verbs(rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """Return the help of the dialog: a line for each verb with its letter and its purpose."""
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for usage, letter, purpose in rows:
        grid.add_row(Text(f"  {usage}"), Text(letter), Text(purpose))
    return grid


def answer(message: PlanMessage, changes: Difference, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return a message of the model, and below it the changes that it proposes."""
    messages = conversation([message], terminal=terminal)
    return stack([messages, "", difference(changes, terminal=terminal)])


def difference(changes: Difference, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what would change: a line for each task that is added or removed, and for each field that changes."""
    terminal = terminal or stdout_style()
    added = [(("+", "green"), _added(task, terminal)) for task in changes.added]
    removed = [(("-", "red"), prose((task.id, "bold"), f"  {terminal.clean(task.title)}")) for task in changes.removed]
    changed = [(("~", "yellow"), _changed(change, terminal)) for change in changes.changed]
    order = [(("~", "yellow"), Text("task order"))] if changes.reordered else []
    return bullets([*added, *removed, *changed, *order]) or Text("no changes", "dim")


def _indented(content: RenderableType | None) -> RenderableType | None:
    return bullets([((" ", ""), content)]) if content else None


def _added(task: PlannedTask, terminal: TerminalStyle) -> Text:
    after = f"  after {', '.join(task.after)}" if task.after else ""
    return prose((task.id, "bold"), f"  {terminal.clean(task.title)}", (after, "dim"))


def _changed(change: FieldChange, terminal: TerminalStyle) -> RenderableType:
    """Return the old and the new value of a field: on one line where that has room, else below it."""
    before, after = (_value(value, terminal) for value in (change.before, change.after))
    arrow = terminal.pick(" → ", " -> ")
    head = prose((change.task, "bold"), (f"  {change.field}: ", "dim"))
    line = prose(head, f"{before}{arrow}{after}")
    if terminal.width is None or cell_len(line.plain) + 2 <= terminal.width:
        return line
    return Group(head, bullets([((" ", ""), prose(f"{before}{arrow}{after}"))]) or Text())


def _value(value: Any, terminal: TerminalStyle) -> str:
    text = terminal.clean(", ".join(value) if isinstance(value, tuple) else str(value))
    shortened = text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + terminal.ellipsis
    return shortened or "(none)"


def conversation(messages: Sequence[PlanMessage], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return the messages, each below the name of its author."""
    terminal = terminal or stdout_style()
    parts: list[RenderableType | None] = []
    for message in messages:
        is_person = message.author == "person"
        speaker = "you" if is_person else terminal.clean(message.model) or "planner"
        text = _indented(block(message.text, terminal))
        parts += [Text(speaker, "bold" if is_person else "cyan"), text]
    return stack(parts)
