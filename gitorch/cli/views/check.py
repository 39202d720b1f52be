"""What `check` found: each task, what was added to its branch by hand, and how its checks ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import RenderableType

from gitorch.cli.terminal.blocks import bullets, prose, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.views import labels
from gitorch.cli.views.reviewing.review import check_table
from gitorch.model import branch_state
from gitorch.services.check import CheckedTask
from gitorch.services.reviewing.suggestions import AppliedSuggestions


def checked_tasks(checked: Sequence[CheckedTask], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return the tasks that were checked."""
    terminal = terminal or stdout_style()
    return stack([part for outcome in checked for part in _parts(outcome, terminal)])


def applied_suggestions(applied: AppliedSuggestions, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what was applied, the commit, and how its checks ended."""
    terminal = terminal or stdout_style()
    places = ", ".join(dict.fromkeys(comment.place for comment in applied.comments))
    head = prose((applied.commit[:7], "yellow"), "  applied: ", (terminal.clean(places), "bold"))
    return stack([head, check_table(applied.task, terminal)])


def _parts(outcome: CheckedTask, terminal: TerminalStyle) -> list[RenderableType]:
    task = msgspec.structs.replace(outcome.task, results=outcome.results)
    head = prose((terminal.clean(task.id), "bold"), f"  {task.state}  ", labels.checks(task, terminal))
    by_hand = branch_state.describe(outcome.branch)
    table = check_table(task, terminal)
    return [
        head,
        *([prose("  ", (terminal.clean(by_hand), "yellow"))] if by_hand else []),
        *([content] if table and (content := bullets([((" ", ""), table)])) else []),
    ]
