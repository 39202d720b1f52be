"""What `adopt` did: the new tasks, those that were checked, and the branches left out."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import line, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import labels, quantities
from gitorch.services.adopt import Adoption

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task"),
    Column(title="Branch"),
    Column(title="Commits"),
    Column(title="Checks"),
    Column(title="After"),
)


def adoption(adopted: Adoption, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return the result of an adoption."""
    terminal = terminal or stdout_style()
    rows: list[Row] = [
        [
            (str(task.number), ""),
            (task.id, "bold"),
            (terminal.clean(adopted.sources[task.id]), "dim"),
            (quantities.plural(adopted.commits[task.id], "commit"), ""),
            labels.checks(task, terminal),
            (", ".join(task.spec.after), ""),
        ]
        for task in adopted.tasks
    ]
    parts = [table(_COLUMNS, rows, terminal)] if rows else []
    parts += [line((task.id, "bold"), "  ", labels.checks(task, terminal)) for task in adopted.checked_tasks]
    parts += [
        line((f"left out: {terminal.clean(branch.branch.name)}: {branch.reason}", "dim")) for branch in adopted.skipped
    ]
    return stack(parts) if parts else Text("nothing to adopt")
