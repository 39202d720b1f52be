"""An error, as a person reads it."""

from __future__ import annotations

import traceback

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import block, line, stack
from gitorch.cli.terminal.style import TerminalStyle, stderr_style
from gitorch.errors import GitorchError
from gitorch.model.credentials.redaction import redacted

_LABEL_WIDTH = len("error:")


def error(failure: GitorchError, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what happened, why, and the commands that fix it; a command is never cut."""
    terminal = terminal or stderr_style()
    message = _grid()
    message.add_row(Text("error:", "bold red"), block(failure.what, terminal, "bold") or "")
    if reason := block(failure.why, terminal):
        message.add_row(Text("why:", "dim"), reason)
    hints = _grid(max((cell_len(terminal.clean(command)) for command in failure.fix), default=0))
    for position, command in enumerate(failure.fix):
        hints.add_row(Text("hint:" if position == 0 else "", "bold cyan"), line((terminal.clean(command), "green")))
    return stack([message, hints if failure.fix else None])


def redacted_traceback(error: BaseException) -> str:
    """Return the traceback of an unexpected error, without credentials."""
    return redacted("".join(traceback.format_exception(error)))


def _grid(min_width: int = 0) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column(justify="right", width=_LABEL_WIDTH, no_wrap=True)
    grid.add_column(min_width=min_width)
    return grid
