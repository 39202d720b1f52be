"""What a merge says of other branches: a base that moved, resolved conflicts, and the branch of `--into`."""

from __future__ import annotations

import shlex

from rich.text import Text

from gitorch.cli.terminal.blocks import prose
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.labels import NOT_CHECKED
from gitorch.cli.views.quantities import plural
from gitorch.flow.merge import MergePlan, NotRebased
from gitorch.model.resolution import SYNTAX_KINDS
from gitorch.replay import Conflicted


def base_lines(plan: MergePlan, integration: str, terminal: TerminalStyle) -> list[Text]:
    """Return what happens to the integration branch where its base moved; nothing where it did not."""
    rebased = plan.rebased
    if rebased is None:
        return []
    branch = terminal.clean(integration)
    move = f"moved by {plural(rebased.ahead, 'commit')}" if rebased.ahead else "was reset"
    prefix = f"{terminal.clean(rebased.branch)} {move}: "
    if isinstance(rebased, NotRebased):
        return [prose((f"{prefix}{branch} is not rebased ({terminal.clean(rebased.reason)})", "yellow"))]
    if isinstance(rebased.replayed, Conflicted):
        paths = ", ".join(map(terminal.clean, rebased.replayed.paths))
        return [prose((f"{prefix}{branch} conflicts with it in {paths}", "bold red"))]
    lines = [prose(prefix, (f"{plural(len(rebased.replayed.pairs), 'merged commit')} rebased onto it", "bold"))]
    if rebased.removed:
        count = plural(len(rebased.removed), "commit")
        text = f"{count} that {terminal.clean(rebased.branch)} had before and has no more: left out of {branch}"
        lines.append(prose((text, "yellow")))
    return lines


def resolved_lines(plan: MergePlan, terminal: TerminalStyle) -> list[Text]:
    """Return which conflicts were resolved on the way by what was known, and by what."""
    return [
        prose(
            (f"{terminal.clean(step.task.id)}: ", "bold"),
            (f"conflict in {', '.join(map(terminal.clean, resolution.paths))} resolved by {resolution.by}", "yellow"),
        )
        for step in plan.steps
        for resolution in step.replayed.resolved
        if resolution.by not in SYNTAX_KINDS
    ]


def moves_target(plan: MergePlan) -> bool:
    """Return whether a merge moves the branch that `--into` names, be it without a task."""
    if plan.target is None or plan.is_base_conflict or (plan.before is None and not plan.steps):
        return False
    return plan.target.before != plan.tip


def target_lines(plan: MergePlan, terminal: TerminalStyle, *, dry_run: bool) -> list[Text]:
    """Return what happens to the branch that `--into` names."""
    if plan.target is None or plan.is_base_conflict or (plan.before is None and not plan.steps):
        return []
    name = terminal.clean(plan.target.branch)
    if not moves_target(plan):
        return [prose(f"{name} is already at {plan.tip[:7]}")]
    verb = "would be fast-forwarded" if dry_run else "fast-forwarded"
    line = prose((f"{name} {verb} to {plan.tip[:7]}", "bold"), f" (from {plan.target.before[:7]})")
    if not dry_run and not plan.results:
        line.append(terminal.dot).append(NOT_CHECKED, "bold red")
    return [line]


def target_commands(plan: MergePlan) -> list[tuple[str, str]]:
    """Return what a person does after `--into`: gitorch itself never pushes."""
    if plan.target is None:
        return []
    if plan.target.remote:
        refs = plan.target.branch if plan.target.branch == plan.target.upstream else plan.target.spec
        return [(f"git push {shlex.quote(plan.target.remote)} {shlex.quote(refs)}", "gitorch never pushes")]
    commits = shlex.quote(f"{plan.target.before[:7]}..{plan.target.branch}")
    return [(f"git log --oneline {commits}", "show the new commits")]


def rebase_command(plan: MergePlan, integration: str) -> list[tuple[str, str]]:
    """Return how a person rebases the integration branch onto its base by hand, notes included."""
    assert plan.rebased is not None
    refs = f"{shlex.quote(plan.rebased.branch)} {shlex.quote(integration)}"
    return [(f"git -c notes.rewriteRef=refs/notes/gitorch rebase {refs}", "resolve by hand, then merge again")]
