"""What moved during runs and was not moved by gitorch: in red, until it is acknowledged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, commands, prose, stack
from gitorch.cli.terminal.style import Span, TerminalStyle
from gitorch.storage.foreign_changes import ForeignChange

ACKNOWLEDGE = "orchestrate status --acknowledge"
_MAX_ROWS = 12

_REPAIRS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"config changed: .*core\.hookspath"),
        'take it back: git config --unset core.hooksPath; for husky: prepare.env = { HUSKY = "0" }',
    ),
    (re.compile(r"config changed: .*core\.bare"), "take it back: git config core.bare false"),
    (re.compile(r"stash ([0-9a-f]{40,64}) disappeared"), r"take it back: git stash store \1"),
    (re.compile(r"refs/heads/(?:\S+) moved from ([0-9a-f]{12}) to .*"), r"it was at \1"),
)


_DURING_RUN = "changed during a run, and not by gitorch: by an agent, or by you"
_DURING_CHECKS = "changed while checks ran, and not by gitorch: by what they run, or by you"


def while_checking(foreign: Sequence[ForeignChange], terminal: TerminalStyle) -> RenderableType:
    """Return what was changed while the checks of a command ran, as `changes` does."""
    return stack(changes(foreign, terminal, heading=_DURING_CHECKS))


def changes(
    foreign: Sequence[ForeignChange], terminal: TerminalStyle, *, show_all: bool = False, heading: str = _DURING_RUN
) -> list[RenderableType]:
    """Return the differences under a heading, with the command that acknowledges them; nothing where there are none."""
    if not foreign:
        return []
    tasks = {change.what: change.tasks for change in foreign}
    row_limit = len(tasks) if show_all or len(tasks) == _MAX_ROWS + 1 else _MAX_ROWS
    rows = [_row(what, names, terminal) for what, names in [*tasks.items()][:row_limit]]
    hidden = len(tasks) - row_limit
    mark = (terminal.pick("✗", "x"), "bold red")
    return [
        part
        for part in (
            bullets([(mark, prose((heading, "bold red")))]),
            bullets(rows, indent=2),
            prose((f"  {terminal.ellipsis} {hidden} more: orchestrate status --all", "dim")) if hidden > 0 else None,
            commands([(ACKNOWLEDGE, "once you have seen them")], terminal),
        )
        if part is not None
    ]


def of_task(foreign: Sequence[ForeignChange], terminal: TerminalStyle) -> RenderableType | None:
    """Return the differences as the value of a field; None where there are none."""
    rows = [prose((terminal.clean(change.what), "red")) for change in foreign[:_MAX_ROWS]]
    if hidden := len(foreign) - len(rows):
        rows.append(Text(f"{terminal.ellipsis} {hidden} more: orchestrate status --all", "dim"))
    return stack(rows) if rows else None


def _row(what: str, tasks: Sequence[str], terminal: TerminalStyle) -> tuple[Span, RenderableType]:
    names = f"  while {', '.join(map(terminal.clean, tasks))} ran" if tasks else ""
    repair = next((match.expand(text) for pattern, text in _REPAIRS if (match := pattern.match(what))), "")
    return ("-", "red"), prose(
        (terminal.clean(what), "red"), (names, "dim"), (f"  {terminal.clean(repair)}" if repair else "", "dim")
    )
