"""The result of a merge: what was merged, what was not, and why."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from gitorch.cli.terminal.aligned import AlignedRows
from gitorch.cli.terminal.blocks import commands, prose, section, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.views import resolutions
from gitorch.cli.views.labels import NOT_CHECKED
from gitorch.cli.views.merging import merge_branches
from gitorch.cli.views.merging.merge_entries import REVIEW, Entry, left_out_entries, resolved_commands, retry_commands
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.status import PROGRAM
from gitorch.flow.merge import MergePlan
from gitorch.model.task import Task


def merge_result(plan: MergePlan, integration: str, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what a merge did: what was merged, what was not and why. An empty merge is shown in red."""
    terminal = terminal or stdout_style()
    left_out = left_out_entries(plan, terminal)
    return stack(
        [
            *merge_branches.base_lines(plan, integration, terminal),
            _outcomes(plan, left_out, terminal),
            *_red_base(plan, integration, terminal),
            *_flakes(plan, terminal),
            *merge_branches.resolved_lines(plan, terminal),
            *section(terminal, *resolutions.resolution_lines(plan.resolutions, terminal)),
            Text("") if plan.resolutions and terminal.width is not None else None,
            _merge_count(plan, left_out, integration, terminal),
            *merge_branches.target_lines(plan, terminal, dry_run=False),
            commands(_merge_commands(plan, left_out, integration), terminal),
        ]
    )


def _outcomes(plan: MergePlan, left_out: Mapping[str, Entry], terminal: TerminalStyle) -> AlignedRows | None:
    rows = AlignedRows()
    tick = terminal.pick("✓", "+")
    for step in plan.steps:
        commits = f"{plural(len(step.replayed.pairs), 'commit')} as {step.replayed.tip[:7]}"
        rows.add(_outcome_name(step.task, (tick, "green"), terminal), commits)
    outputs = {failure.task.id: failure.output for failure in plan.failures if failure.output}
    for task, mark, details in left_out.values():
        output = terminal.clean(outputs[task.id]) if task.id in outputs else ""
        reason = Group(details, Text(f"output: {output}", "dim", overflow="fold")) if output else details
        rows.add(_outcome_name(task, mark, terminal), reason)
    return rows if len(rows) else None


def _outcome_name(task: Task, mark: Span, terminal: TerminalStyle) -> tuple[Span, ...]:
    return mark, (" ", ""), (terminal.clean(task.id), "bold")


def _red_base(plan: MergePlan, integration: str, terminal: TerminalStyle) -> list[Text]:
    if not plan.red_base:
        return []
    base = terminal.clean(integration) if plan.before else f"base {plan.onto[:7]}"
    return [prose((f"{base} fails check {terminal.clean(plan.red_base)} without any of these tasks", "bold red"))]


def _flakes(plan: MergePlan, terminal: TerminalStyle) -> list[Text]:
    mark = terminal.pick("↺", "~")
    return [
        prose((f"{mark} {terminal.clean(flake.name)} failed, then passed on the same tree {flake.tree[:7]}", "yellow"))
        for flake in plan.flakes
    ]


def _merge_count(
    plan: MergePlan, left_out: Mapping[str, Entry], integration: str, terminal: TerminalStyle
) -> RenderableType:
    branch = terminal.clean(integration)
    if not (plan.steps or left_out) and merge_branches.moves_target(plan):
        return Text("no task is approved")
    if not plan.steps:
        reason = f"{len(left_out)} left out" if left_out else "no task is approved"
        unchanged = f"; {branch} is unchanged" if plan.tip == plan.before or plan.target is None else ""
        return prose((f"nothing merged: {reason}", "bold red"), unchanged)
    passed = f"checks passed ({len(plan.results)}/{len(plan.results)})"
    outcome = (passed, "green") if plan.results else (NOT_CHECKED, "bold red")
    commits = f"{plan.before[:7]}..{plan.tip[:7]}" if plan.before else f"new, at {plan.tip[:7]}"
    count = f"{plural(len(plan.steps), 'task')} merged into {branch}"
    return prose((count, "bold"), f" ({commits})", terminal.dot, outcome)


def _merge_commands(plan: MergePlan, left_out: Mapping[str, Entry], integration: str) -> Sequence[tuple[str, str]]:
    if plan.is_base_conflict:
        return merge_branches.rebase_command(plan, integration)
    target = merge_branches.target_commands(plan)
    if not plan.steps and not left_out and not plan.red_base:
        return target if plan.target else REVIEW
    hints = [*resolved_commands(plan), *retry_commands(plan)]
    hints += [(f"{PROGRAM} revise {failure.task.id}", "send it back with the failure") for failure in plan.failures[:2]]
    if plan.failures or plan.red_base:
        hints.append((f"{PROGRAM} merge --recheck", "run the failed checks again"))
    merge = [(f"git merge {shlex.quote(integration)}", "merge into the current branch")] if plan.steps else []
    return [*hints, *(target or merge)]
