"""The plan and the progress of a merge."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gitorch.cli.terminal.blocks import commands, fitted, prose, section, stack
from gitorch.cli.terminal.style import TerminalStyle, stderr_style, stdout_style
from gitorch.cli.views import forecast, resolutions
from gitorch.cli.views.merging import merge_branches
from gitorch.cli.views.merging.merge_entries import (
    MERGED,
    REVIEW,
    Entry,
    left_out_entries,
    resolved_commands,
    retry_commands,
    step_details,
)
from gitorch.cli.views.quantities import listed, plural
from gitorch.cli.views.status import PROGRAM
from gitorch.flow.merge import MergePlan, Progress
from gitorch.model.forecasts.conflict_forecast import Conflict, RemovedName
from gitorch.model.naming import TaskId
from gitorch.replay.hunks import Hunk

_OURS, _THEIRS = "cyan", "magenta"
"""The colours of the sides of a conflict: neither is removed or added."""

_MAX_HUNKS = 3
_MAX_LINES = 2
_SHARED_CONTEXT = 16
"""Characters that stay of what two long lines have in common at their start."""
_GUIDE_WIDTH = 4


def merge_plan(
    plan: MergePlan,
    integration: str,
    *,
    hunks: Mapping[TaskId, Sequence[Hunk]] | None = None,
    expected: Sequence[Conflict] = (),
    removed_names: Sequence[RemovedName] = (),
    terminal: TerminalStyle | None = None,
) -> RenderableType:
    """Return what a merge would do: a tree in dependency order, and the places of its conflicts.

    `expected` are the conflicts among all tasks, approved or not; those that the plan shows are not repeated.
    """
    terminal = terminal or stdout_style()
    outlook = [
        *forecast.conflict_lines(_not_in_plan(expected, plan), terminal),
        *forecast.removed_name_lines(removed_names, terminal),
    ]
    base = merge_branches.base_lines(plan, integration, terminal)
    notes = [
        *merge_branches.resolved_lines(plan, terminal),
        *merge_branches.target_lines(plan, terminal, dry_run=True),
    ]
    left_out = left_out_entries(plan, terminal)
    if not (plan.steps or left_out):
        moves = merge_branches.moves_target(plan)
        nothing = Text("no task is approved" if moves else "nothing to merge: no task is approved")
        hints = _plan_commands(plan, integration) if moves else REVIEW
        return stack([*base, nothing, *notes, *section(terminal, *outlook), commands(hints, terminal)])
    position = "on top of" if plan.before is None else "at"
    head = prose(
        ("Merge plan for ", ""), (terminal.clean(integration), "bold"), f" {position} {plan.onto[:7]} (dry run)"
    )
    count = prose((f"{len(plan.steps)} of {plural(_total(plan, left_out), 'task')} would merge", "bold"))
    if plan.conflicts:
        count.append(", ").append(plural(len(plan.conflicts), "conflict"), "bold red")
    return stack(
        [
            *(head, *base),
            *section(terminal, _tree(plan, terminal)),
            *_conflict_places(plan, hunks or {}, terminal),
            *section(terminal, *outlook),
            *section(terminal, *resolutions.resolution_lines(plan.resolutions, terminal)),
            *section(terminal, count, *notes),
            commands(_plan_commands(plan, integration), terminal),
        ]
    )


def merge_order(plan: MergePlan, *, terminal: TerminalStyle | None = None) -> RenderableType | None:
    """Return the order of a merge that is about to start, as a tree; None if there is nothing to merge."""
    terminal = terminal or stderr_style()
    return _tree(plan, terminal) if plan.steps or plan.conflicts or plan.blocked else None


def merge_progress(progress: Progress, *, terminal: TerminalStyle | None = None) -> Text:
    """Return what a merge is doing now, as one line."""
    terminal = terminal or stderr_style()
    line = fitted(terminal.clean(progress.doing))
    if progress.check:
        line.append(terminal.dot).append(terminal.clean(progress.check), "bold")
    if progress.tasks:
        count = f"{plural(len(progress.tasks), 'task')}: " if len(progress.tasks) > 1 else ""
        line.append(f" of {count}{terminal.clean(listed(progress.tasks))}", "dim")
    return line


def publishing() -> Text:
    """Return what a merge is doing in its last step."""
    return fitted("prove and publish")


# ------------------------------------------------------------------------------------------------------- the tree


def _tree(plan: MergePlan, terminal: TerminalStyle) -> Table:
    """Return all tasks, each below what it depends on; numbers give the order in which they are merged.

    The trees are one cell; the marks and the details beside it have one line for each of its lines.
    """
    entries: dict[str, Entry] = {entry[0].id: entry for entry in _entries(plan, terminal)}
    children = _children(entries, sys.maxsize if terminal.width is None else terminal.width // 2 // _GUIDE_WIDTH)
    trees: list[Tree] = []
    lines: list[Entry] = []
    pending: list[tuple[Tree | None, str]] = [(None, name) for name in reversed(children[""])]
    while pending:
        parent, name = pending.pop()
        lines.append(entries[name])
        label = fitted((terminal.clean(name), "bold"))
        tree = parent.add(label) if parent else Tree(label, guide_style="dim")
        trees += [] if parent else [tree]
        pending += [(tree, child) for child in reversed(children[name])]
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(justify="right", no_wrap=True)
    marks, details = (Text(*mark) for _, mark, _ in lines), (fitted(text) for _, _, text in lines)
    grid.add_row(Group(*marks), Group(*trees), Group(*details))
    return grid


def _children(entries: Mapping[str, Entry], max_depth: int) -> Mapping[str, list[str]]:
    """Return the children of each task, and under "" the roots.

    The parent of a task is the latest of its dependencies, so that it is below all of them; a task deeper than
    `max_depth` is next to its parent.
    """
    order = {name: position for position, name in enumerate(entries)}
    children: dict[str, list[str]] = {"": [], **{name: [] for name in entries}}
    parents = {"": ("", 0)}
    for name, (task, _, _) in entries.items():
        earlier = [other for other in task.spec.after if other in order and order[other] < order[name]]
        parent = max(earlier, key=lambda other: order[other], default="")
        if parents[parent][1] >= max_depth:
            parent = parents[parent][0]
        parents[name] = (parent, parents[parent][1] + 1)
        children[parent].append(name)
    return children


def _entries(plan: MergePlan, terminal: TerminalStyle) -> Iterator[Entry]:
    for position, step in enumerate(plan.steps, start=1):
        yield step.task, (str(position), "green"), step_details(step, plan, terminal)
    yield from left_out_entries(plan, terminal).values()


def _not_in_plan(expected: Sequence[Conflict], plan: MergePlan) -> list[Conflict]:
    planned = [{conflict.task.id, *conflict.partners} for conflict in plan.conflicts]
    return [conflict for conflict in expected if not any(tasks.issuperset(conflict.tasks) for tasks in planned)]


# -------------------------------------------------------------------------------------------------------- the plan


def _conflict_places(
    plan: MergePlan, hunks: Mapping[TaskId, Sequence[Hunk]], terminal: TerminalStyle
) -> Iterator[RenderableType]:
    """Yield where each conflict is, and what the two sides have there."""
    for conflict in plan.conflicts:
        conflict_hunks = hunks.get(conflict.task.id, ())
        for hunk in conflict_hunks[:_MAX_HUNKS]:
            yield Text("")
            yield prose(("  " + terminal.clean(f"{hunk.path}:{hunk.line}"), "bold"))
            sides = Table.grid(padding=(0, 2), pad_edge=False)
            partners = ", ".join(conflict.partners) or MERGED
            ours, theirs = _without_long_start(hunk, terminal)
            sides.add_row(_side_name(partners, terminal), _side_lines(ours, _OURS, terminal))
            sides.add_row(_side_name(conflict.task.id, terminal), _side_lines(theirs, _THEIRS, terminal))
            yield sides
        if hidden := max(0, len(conflict_hunks) - _MAX_HUNKS):
            task = terminal.clean(conflict.task.id)
            yield Text(f"  {terminal.ellipsis} {plural(hidden, 'more conflict')} in {task}", "dim")


def _without_long_start(hunk: Hunk, terminal: TerminalStyle) -> tuple[Sequence[str], Sequence[str]]:
    """Return the sides without what long first lines have in common: what differs has to be seen."""
    if not (hunk.ours and hunk.theirs):
        return hunk.ours, hunk.theirs
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(hunk.ours[0], hunk.theirs[0], strict=False))
    shared = sum(1 for _ in pairs) - _SHARED_CONTEXT
    if shared <= _SHARED_CONTEXT:
        return hunk.ours, hunk.theirs
    ours, theirs = ((f"{terminal.ellipsis}{side[0][shared:]}", *side[1:]) for side in (hunk.ours, hunk.theirs))
    return ours, theirs


def _side_name(name: str, terminal: TerminalStyle) -> Text:
    return fitted(("    " + terminal.clean(name), "dim"))


def _side_lines(lines: Sequence[str], style: str, terminal: TerminalStyle) -> Group:
    texts = [fitted((terminal.clean(text), style)) for text in lines[:_MAX_LINES]] or [Text("(nothing)", "dim")]
    if hidden := max(0, len(lines) - _MAX_LINES):
        texts.append(Text(f"{terminal.ellipsis} {plural(hidden, 'more line')}", "dim"))
    return Group(*texts)


def _total(plan: MergePlan, left_out: Mapping[str, Entry]) -> int:
    return len(plan.steps) + len(left_out)


def _plan_commands(plan: MergePlan, integration: str) -> list[tuple[str, str]]:
    if plan.is_base_conflict:
        return merge_branches.rebase_command(plan, integration)
    into = f" --into {shlex.quote(plan.target.branch)}" if plan.target else ""
    hints = [*resolved_commands(plan), *retry_commands(plan)]
    if plan.steps:
        hints.append((f"{PROGRAM} merge{into}", f"merge {plural(len(plan.steps), 'task')}"))
    elif plan.target and merge_branches.moves_target(plan):
        commits = shlex.quote(f"{plan.target.branch}..{integration}")
        hints.append((f"git log --oneline {commits}", "show what would move"))
        hints.append((f"{PROGRAM} merge{into}", "move the branch"))
    return hints
