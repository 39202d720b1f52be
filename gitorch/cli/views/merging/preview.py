"""What `preview` made: the folder, what is in it, and what is left out."""

from __future__ import annotations

from rich.console import RenderableType

from gitorch.cli.terminal.blocks import prose, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.services.merging.preview import Preview


def preview(union: Preview, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return a preview."""
    terminal = terminal or stdout_style()
    plan = union.plan
    names = ", ".join(terminal.clean(step.task.id) for step in plan.steps)
    left_out = [
        *((item.task.id, f"conflicts in {', '.join(item.paths)}") for item in plan.conflicts),
        *((entry.task.id, entry.reason) for entry in plan.blocked),
    ]
    return stack(
        [
            prose((terminal.clean(str(union.worktree)), "bold")),
            prose(f"{names} on {plan.onto[:7]}", (f"  tree {union.tree[:12]}", "dim")),
            *(
                prose((f"left out: {terminal.clean(name)}: {terminal.clean(reason)}", "red"))
                for name, reason in left_out
            ),
        ]
    )
