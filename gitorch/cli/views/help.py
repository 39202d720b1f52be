"""The topics of `help`, and one of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markdown import Markdown

from gitorch.cli.terminal.blocks import commands, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, table
from gitorch.cli.views.status import PROGRAM


def topics(rows: Sequence[tuple[str, str]], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return the topics with their titles, and how to read one."""
    terminal = terminal or stdout_style()
    grid = table(
        (Column(title="Topic"), Column(title="What it explains")),
        [[(name, "bold"), (title, "")] for name, title in rows],
        terminal,
    )
    return stack([grid, commands([(f"{PROGRAM} help {rows[0][0]}", "read one")], terminal)])


def page(text: str, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return a topic: as it is for programs, laid out on a terminal."""
    terminal = terminal or stdout_style()
    return text if terminal.width is None else Markdown(text, inline_code_theme="default")
