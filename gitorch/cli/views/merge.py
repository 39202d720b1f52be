"""The pages of a merge: what it would do, what it is doing, and what it did."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gitorch.cli.terminal.blocks import commands, fitted, prose, section, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stderr_style, stdout_style
from gitorch.cli.views import forecast, merge_branches
from gitorch.cli.views.labels import NOT_CHECKED, listed, plural
from gitorch.cli.views.status import PROGRAM
from gitorch.flow.merge import Blocked, Failure, MergeConflict, MergePlan, MergeStep, Progress
from gitorch.model.forecast import Conflict
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.replay.hunks import Hunk

_MAX_HUNKS = 3
_MAX_LINES = 2
_GUIDE_WIDTH = 4
_MERGED = "merged work"

_Entry = tuple[Task, Span, Text]
"""A task of a merge, its mark (a place in the order, or a symbol), and what happens to it."""


def merge_plan(
    plan: MergePlan,
    integration: str,
    *,
    hunks: Mapping[TaskId, Sequence[Hunk]] | None = None,
    expected: Sequence[Conflict] = (),
    terminal: TerminalStyle | None = None,
) -> RenderableType:
    """Return what a merge would do: a tree in dependency order, and the places of its conflicts.

    `expected` are the conflicts among all tasks, approved or not; those that the plan shows are not repeated.
    """
    terminal = terminal or stdout_style()
    expected = _not_in_plan(expected, plan)
    base = merge_branches.base_lines(plan, integration, terminal)
    notes = [
        *merge_branches.resolved_lines(plan, terminal),
        *merge_branches.target_lines(plan, terminal, dry_run=True),
    ]
    left_out = _left_out(plan, terminal)
    if not (plan.steps or left_out):
        nothing = Text("nothing to merge: no task is approved")
        conflicts = section(terminal, *forecast.conflict_lines(expected, terminal))
        return stack([*base, nothing, *notes, *conflicts, commands(_REVIEW, terminal)])
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
            *section(terminal, *forecast.conflict_lines(expected, terminal)),
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


def merge_result(plan: MergePlan, integration: str, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what a merge did: what was merged, what was not and why. An empty merge is shown in red."""
    terminal = terminal or stdout_style()
    left_out = _left_out(plan, terminal)
    return stack(
        [
            *merge_branches.base_lines(plan, integration, terminal),
            _outcomes(plan, left_out, terminal),
            *_red_base(plan, integration, terminal),
            *_flakes(plan, terminal),
            *merge_branches.resolved_lines(plan, terminal),
            _merge_count(plan, left_out, integration, terminal),
            *merge_branches.target_lines(plan, terminal, dry_run=False),
            commands(_merge_commands(plan, left_out, integration), terminal),
        ]
    )


# ------------------------------------------------------------------------------------------------------- the tree


def _tree(plan: MergePlan, terminal: TerminalStyle) -> Table:
    """Return all tasks, each below what it depends on; numbers give the order in which they are merged.

    The trees are one cell; the marks and the details beside it have one line for each of its lines.
    """
    entries: dict[str, _Entry] = {entry[0].id: entry for entry in _entries(plan, terminal)}
    children = _children(entries, sys.maxsize if terminal.width is None else terminal.width // 2 // _GUIDE_WIDTH)
    trees: list[Tree] = []
    lines: list[_Entry] = []
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


def _children(entries: Mapping[str, _Entry], max_depth: int) -> Mapping[str, list[str]]:
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


def _entries(plan: MergePlan, terminal: TerminalStyle) -> Iterator[_Entry]:
    for position, step in enumerate(plan.steps, start=1):
        yield step.task, (str(position), "green"), _step_details(step, plan, terminal)
    yield from _left_out(plan, terminal).values()


def _not_in_plan(expected: Sequence[Conflict], plan: MergePlan) -> list[Conflict]:
    planned = [{conflict.task.id, *conflict.partners} for conflict in plan.conflicts]
    return [conflict for conflict in expected if not any(tasks.issuperset(conflict.tasks) for tasks in planned)]


def _left_out(plan: MergePlan, terminal: TerminalStyle) -> dict[str, _Entry]:
    """Return what is not merged, each task once: a merge that went task by task may name it twice."""
    merged = {step.task.id for step in plan.steps}
    return {entry[0].id: entry for entry in _obstacles(plan, terminal) if entry[0].id not in merged}


def _obstacles(plan: MergePlan, terminal: TerminalStyle) -> Iterator[_Entry]:
    for conflict in plan.conflicts:
        yield conflict.task, (terminal.pick("≠", "!"), "bold red"), _conflict_details(conflict, terminal)
    for failure in plan.failures:
        yield failure.task, (terminal.pick("✗", "x"), "bold red"), _failure_details(failure, terminal)
    for blocked in plan.blocked:
        yield blocked.task, (terminal.pick("–", "-"), "yellow"), _blocked_details(blocked, terminal)  # noqa: RUF001


def _step_details(step: MergeStep, plan: MergePlan, terminal: TerminalStyle) -> Text:
    merged = {other.task.id for other in plan.steps}
    dependencies = [terminal.clean(name) for name in step.task.spec.after if name in merged]
    after = f", after {', '.join(dependencies)}" if len(dependencies) > 1 else ""
    commits = len(step.replayed.pairs)
    changes = f"{plural(commits, 'commit')}, {plural(len(step.paths), 'file')}" if commits else "already merged"
    return Text.assemble(changes, (after, "dim"))


def _conflict_details(conflict: MergeConflict, terminal: TerminalStyle) -> Text:
    paths = listed([*map(terminal.clean, conflict.paths)])
    partners = ", ".join(map(terminal.clean, conflict.partners)) or _MERGED
    return Text.assemble(("conflicts in ", "red"), (paths, "bold"), (" with ", "red"), (partners, "bold"))


def _failure_details(failure: Failure, terminal: TerminalStyle) -> Text:
    check = (terminal.clean(failure.check), "bold")
    if failure.partners:
        partners = (", ".join(map(terminal.clean, failure.partners)), "bold")
        return Text.assemble(("check ", "red"), check, (" passes alone, fails together with ", "red"), partners)
    reason = " fails on it alone" if failure.alone is False else " fails with it"
    return Text.assemble(("left out: check ", "red"), check, (reason, "red"))


def _blocked_details(blocked: Blocked, terminal: TerminalStyle) -> Text:
    return Text.assemble(("blocked: ", "yellow"), terminal.clean(blocked.reason))


# -------------------------------------------------------------------------------------------------------- the plan


def _conflict_places(
    plan: MergePlan, hunks: Mapping[TaskId, Sequence[Hunk]], terminal: TerminalStyle
) -> Iterator[RenderableType]:
    """Yield where each conflict is, and what the two sides have there."""
    for conflict in plan.conflicts:
        conflict_hunks = hunks.get(conflict.task.id, ())
        for hunk in conflict_hunks[:_MAX_HUNKS]:
            yield Text("")
            yield prose(("  " + terminal.clean(f"{hunk.path}:{hunk.line}"), "cyan"))
            sides = Table.grid(padding=(0, 2), pad_edge=False)
            partners = ", ".join(conflict.partners) or _MERGED
            sides.add_row(_side_name(partners, terminal), _side_lines(hunk.ours, "red", terminal))
            sides.add_row(_side_name(conflict.task.id, terminal), _side_lines(hunk.theirs, "green", terminal))
            yield sides
        if hidden := max(0, len(conflict_hunks) - _MAX_HUNKS):
            task = terminal.clean(conflict.task.id)
            yield Text(f"  {terminal.ellipsis} {plural(hidden, 'more conflict')} in {task}", "dim")


def _side_name(name: str, terminal: TerminalStyle) -> Text:
    return fitted(("    " + terminal.clean(name), "dim"))


def _side_lines(lines: Sequence[str], style: str, terminal: TerminalStyle) -> Group:
    texts = [fitted((terminal.clean(text), style)) for text in lines[:_MAX_LINES]] or [Text("(nothing)", "dim")]
    if hidden := max(0, len(lines) - _MAX_LINES):
        texts.append(Text(f"{terminal.ellipsis} {plural(hidden, 'more line')}", "dim"))
    return Group(*texts)


def _total(plan: MergePlan, left_out: Mapping[str, _Entry]) -> int:
    return len(plan.steps) + len(left_out)


_REVIEW = ((f"{PROGRAM} review", "approve tasks first"),)


def _retry_commands(plan: MergePlan) -> list[tuple[str, str]]:
    return [
        (f"{PROGRAM} retry {conflict.task.id}", "new attempt on top of the others") for conflict in plan.conflicts[:2]
    ]


def _plan_commands(plan: MergePlan, integration: str) -> list[tuple[str, str]]:
    if plan.is_base_conflict:
        return merge_branches.rebase_command(plan, integration)
    into = f" --into {shlex.quote(plan.target.branch)}" if plan.target else ""
    merge = [(f"{PROGRAM} merge{into}", f"merge {plural(len(plan.steps), 'task')}")] if plan.steps else []
    return [*_retry_commands(plan), *merge]


# ------------------------------------------------------------------------------------------------------ the result


def _outcomes(plan: MergePlan, left_out: Mapping[str, _Entry], terminal: TerminalStyle) -> Table | None:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    tick = terminal.pick("✓", "+")
    for step in plan.steps:
        commits = f"{plural(len(step.replayed.pairs), 'commit')} as {step.replayed.tip[:7]}"
        grid.add_row(_outcome_name(step.task, (tick, "green"), terminal), commits)
    outputs = {failure.task.id: failure.output for failure in plan.failures if failure.output}
    for task, mark, details in left_out.values():
        output = terminal.clean(outputs[task.id]) if task.id in outputs else ""
        reason = Group(details, Text(f"output: {output}", "dim", overflow="fold")) if output else details
        grid.add_row(_outcome_name(task, mark, terminal), reason)
    return grid if grid.row_count else None


def _outcome_name(task: Task, mark: Span, terminal: TerminalStyle) -> Text:
    return fitted(mark, " ", (terminal.clean(task.id), "bold"))


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
    plan: MergePlan, left_out: Mapping[str, _Entry], integration: str, terminal: TerminalStyle
) -> RenderableType:
    branch = terminal.clean(integration)
    if not plan.steps:
        reason = f"{len(left_out)} left out" if left_out else "no task is approved"
        unchanged = f"; {branch} is unchanged" if plan.tip == plan.before or plan.target is None else ""
        return prose((f"nothing merged: {reason}", "bold red"), unchanged)
    passed = f"checks passed ({len(plan.results)}/{len(plan.results)})"
    outcome = (passed, "green") if plan.results else (NOT_CHECKED, "bold red")
    commits = f"{plan.before[:7]}..{plan.tip[:7]}" if plan.before else f"new, at {plan.tip[:7]}"
    count = f"{plural(len(plan.steps), 'task')} merged into {branch}"
    return prose((count, "bold"), f" ({commits})", terminal.dot, outcome)


def _merge_commands(plan: MergePlan, left_out: Mapping[str, _Entry], integration: str) -> Sequence[tuple[str, str]]:
    if plan.is_base_conflict:
        return merge_branches.rebase_command(plan, integration)
    target = merge_branches.target_commands(plan)
    if not plan.steps and not left_out and not plan.red_base:
        return target if plan.target else _REVIEW
    hints = _retry_commands(plan)
    hints += [(f"{PROGRAM} revise {failure.task.id}", "send it back with the failure") for failure in plan.failures[:2]]
    if plan.failures or plan.red_base:
        hints.append((f"{PROGRAM} merge --recheck", "run the failed checks again"))
    merge = [(f"git merge {shlex.quote(integration)}", "merge into the current branch")] if plan.steps else []
    return [*hints, *(target or merge)]
