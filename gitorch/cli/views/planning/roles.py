"""Roles as a list, and one role in detail."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import block, commands, fields, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, table
from gitorch.cli.views.status import PROGRAM
from gitorch.model.roles import Role

_COLUMNS = (Column(title="Role"), Column(title="Agent", drop=2), Column(title="From", drop=1), Column(title="Purpose"))


def roles(items: Sequence[Role], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return all roles."""
    terminal = terminal or stdout_style()
    rows = [
        [
            (terminal.clean(role.name), "bold"),
            (terminal.clean(role.agent), ""),
            (terminal.clean(role.origin), "dim"),
            (terminal.clean(role.purpose), ""),
        ]
        for role in items
    ]
    hint = (f"{PROGRAM} roles show {items[0].name}", "read its instructions")
    return stack([table(_COLUMNS, rows, terminal), commands([hint], terminal)])


def role(item: Role, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return one role with its instructions."""
    terminal = terminal or stdout_style()
    facts = {
        "Purpose": item.purpose,
        "From": item.origin,
        "Agent": item.agent,
        "Model": item.model,
        "Tools": ", ".join(item.tools),
        "Words": ", ".join(item.match),
        "Paths": ", ".join(item.paths),
    }
    rows = [(name, block(value, terminal)) for name, value in facts.items() if value]
    return stack([Text(terminal.clean(item.name), "bold"), fields(rows), block(item.instructions, terminal)])
