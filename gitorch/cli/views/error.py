"""What went wrong, for people."""

from __future__ import annotations

from gitorch.cli.terminal.layout import Line, Look, block, paint
from gitorch.cli.terminal.streams import of_stderr
from gitorch.errors import GitorchError


def error(failure: GitorchError, *, look: Look | None = None) -> str:
    """Return what happened, why, and what mends it, each on its own lines; it ends with a line end."""
    look = look or of_stderr()
    first, *rest = block(failure.what, look, 7) or [""]
    lines: list[Line] = [
        [("error:", "bold red"), (f" {first}", "bold")],
        *([("       " + one, "bold")] for one in rest),
    ]
    lines += [
        [(f"  {'why:' if at == 0 else '':<5}", "dim"), (one, "")]
        for at, one in enumerate(block(failure.why, look, 7) if failure.why else [])
    ]
    lines += [
        [(f"  {'fix:' if at == 0 else '':<5}", "dim"), (look.clean(one), "green")] for at, one in enumerate(failure.fix)
    ]
    return paint(lines, look) + "\n"
