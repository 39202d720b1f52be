"""The pages of a merge: what it would do, what it is doing, and what it did."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitorch.cli.terminal.layout import Line, Look, Piece, cut, flow, paint
from gitorch.cli.terminal.sanitize import cells
from gitorch.cli.terminal.streams import of_stderr, of_stdout
from gitorch.cli.views import merge_branches
from gitorch.cli.views.labels import plural
from gitorch.cli.views.status import PROGRAM, commands
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.flow.merge import Blocked, Failure, MergeConflict, MergePlan, MergeStep, Progress
    from gitorch.replay.hunks import Hunk

_MOST_HUNKS = 3
_MOST_LINES = 2


def merge_plan(
    plan: MergePlan, integration: str, *, hunks: Mapping[TaskId, Sequence[Hunk]] | None = None, look: Look | None = None
) -> str:
    """Return what a merge would do, as a tree in dependency order, with the conflicts it would meet and their hunks."""
    look = look or of_stdout()
    into = look.clean(integration)
    onto = f" on top of {plan.onto[:7]}" if plan.before is None else f" at {plan.onto[:7]}"
    head: Line = [("Into ", ""), (into, "bold"), (f"{onto}, in this order. Nothing has been changed.", "")]
    below = merge_branches.base_lines(plan, integration, look)
    above = [*merge_branches.resolved_lines(plan, look), *merge_branches.target_lines(plan, look, dry_run=True)]
    if not (plan.steps or plan.conflicts or plan.blocked or plan.failures):
        nothing: Line = [("Nothing is approved: there is nothing to merge.", "")]
        return paint([*below, nothing, *above, *_to_review(look)], look)
    tree = _tree(plan, look)
    count: Line = [(f"{len(plan.steps)} of {_count(plan)} would go in", "bold" if plan.steps else "bold red")]
    if plan.conflicts:
        count.append((f", {plural(len(plan.conflicts), 'conflict')}", "bold red"))
    places = _conflict_lines(plan, hunks or {}, look)
    lines = [*flow(head, look), *below, [], *tree, *places, [], count, *above]
    return paint([*lines, *commands(_plan_commands(plan, integration, look), look)], look)


def merge_order(plan: MergePlan, *, look: Look | None = None) -> str:
    """Return the order in which a merge is about to go, as a tree."""
    look = look or of_stderr()
    return paint(_tree(plan, look), look) if plan.steps or plan.conflicts or plan.blocked else ""


def merge_progress(now: Progress, *, look: Look | None = None) -> str:
    """Return what a merge is doing now, as one line."""
    look = look or of_stderr()
    names = look.clean(_listed(now.tasks))
    count = f"{plural(len(now.tasks), 'task')}: " if len(now.tasks) > 1 else ""
    line: Line = [(f"{now.step + 1}/{now.of}  ", "dim"), (look.clean(now.doing), "")]
    if now.check:
        line += [(look.dot, ""), (look.clean(now.check), "bold")]
    if now.tasks:
        line += [(" of ", "dim"), (count + names, "dim")]
    return paint([cut(line, look)], look)


def _conflict_lines(plan: MergePlan, hunks: Mapping[TaskId, Sequence[Hunk]], look: Look) -> list[Line]:
    """Return where each conflict is, and what the two sides have there."""
    lines: list[Line] = []
    for clash in plan.conflicts:
        found = hunks.get(clash.task.id, ())
        for hunk in found[:_MOST_HUNKS]:
            lines += [[], [(f"  {look.clean(f'{hunk.path}:{hunk.line}')}", "cyan")]]
            lines += _side_lines(", ".join(clash.partners) or "what is merged", hunk.ours, "red", look)
            lines += _side_lines(clash.task.id, hunk.theirs, "green", look)
        if len(found) > _MOST_HUNKS:
            lines.append(
                [(f"  {look.ellipsis} {len(found) - _MOST_HUNKS} more places of {look.clean(clash.task.id)}", "dim")]
            )
    return lines


def _side_lines(who: str, side: Sequence[str], style: str, look: Look) -> Iterator[Line]:
    room = None if look.width is None else max(20, look.width - 6)
    yield [(f"    {look.clean(who)}", "dim")]
    for text in side[:_MOST_LINES] or ("(nothing)",):
        yield [("      ", ""), (look.clean(text, room), style if side else "dim")]
    if len(side) > _MOST_LINES:
        yield [(f"      {look.ellipsis} {plural(len(side) - _MOST_LINES, 'more line')}", "dim")]


def _count(plan: MergePlan) -> int:
    return len(plan.steps) + len(_left_out(plan, Look()))


def _to_review(look: Look) -> list[Line]:
    return commands([(f"{PROGRAM} review", "approve what is good")], look)


def _plan_commands(plan: MergePlan, integration: str, look: Look) -> list[tuple[str, str]]:
    if plan.is_stuck:
        return merge_branches.rebase_command(plan, integration, look)
    found = [
        (f"{PROGRAM} retry {clash.task.id}", "a fresh attempt, on top of the others") for clash in plan.conflicts[:2]
    ]
    into = f" --into {shlex.quote(plan.target.branch)}" if plan.target else ""
    command = look.clean(f"{PROGRAM} merge{into}")
    return [*found, (command, f"merge {plural(len(plan.steps), 'task')}")] if plan.steps else found


_Node = tuple[Task, Piece, Line]
"""A task of a plan, its mark (a place in the order, or a symbol), and what is said of it."""


class _Tree(NamedTuple):
    nodes: Mapping[str, _Node]
    parents: Mapping[str, str | None]
    widest: int

    def below(self, name: str | None) -> list[str]:
        return [child for child, parent in self.parents.items() if parent == name]


def _tree(plan: MergePlan, look: Look) -> list[Line]:
    """Lay the tasks out below what they build on; numbers tell the order in which they go in."""
    nodes: dict[str, _Node] = {node[0].id: node for node in _nodes(plan, look)}
    order = {name: at for at, name in enumerate(nodes)}
    parents = {name: _parent(node[0], order) for name, node in nodes.items()}
    widest = max(cells(look.clean(name)) + 3 * _depth(name, parents) for name in nodes)
    tree = _Tree(nodes, parents, widest)
    return [line for root in tree.below(None) for line in _branch(tree, root, "", "", look)]


def _depth(name: str, parents: Mapping[str, str | None]) -> int:
    depth = 0
    above = parents[name]
    while above is not None:
        depth += 1
        above = parents[above]
    return depth


def _parent(task: Task, order: Mapping[str, int]) -> str | None:
    """Return the latest of what a task builds on, so that it stands below all of it."""
    before = [name for name in task.spec.after if name in order and order[name] < order[task.id]]
    return max(before, key=lambda name: order[name]) if before else None


def _branch(tree: _Tree, name: str, lead: str, fork: str, look: Look) -> Iterator[Line]:
    _, (mark, style), said = tree.nodes[name]
    shown = look.clean(name)
    space = " " * max(0, tree.widest - cells(lead + fork + shown))
    yield [(f"{mark:>3}  ", style), (lead + fork, "dim"), (shown, "bold"), (space + "  ", ""), *said]
    stem = "" if not fork else "   " if fork[0] in "└`" else look.pick("│  ", "|  ")
    below = tree.below(name)
    for child in below:
        last = child == below[-1]
        yield from _branch(tree, child, lead + stem, look.pick(*(_LAST if last else _MORE)), look)


_LAST, _MORE = ("└─ ", "`- "), ("├─ ", "|- ")


def _nodes(plan: MergePlan, look: Look) -> Iterator[_Node]:
    for place, step in enumerate(plan.steps, start=1):
        yield step.task, (str(place), "green"), _step_words(step, plan, look)
    yield from _left_out(plan, look).values()


def _left_out(plan: MergePlan, look: Look) -> dict[str, _Node]:
    """Return what does not go in, each task once: a merge that went task by task may name it twice."""
    inside = {step.task.id for step in plan.steps}
    return {node[0].id: node for node in _reasons(plan, look) if node[0].id not in inside}


def _reasons(plan: MergePlan, look: Look) -> Iterator[_Node]:
    for clash in plan.conflicts:
        yield clash.task, (look.pick("≠", "!"), "bold red"), _clash_words(clash, look)
    for failure in plan.failures:
        yield failure.task, (look.pick("✗", "x"), "bold red"), _failure_words(failure, look)
    for held in plan.blocked:
        yield held.task, (look.pick("–", "-"), "yellow"), _held_words(held, look)  # noqa: RUF001


def _step_words(step: MergeStep, plan: MergePlan, look: Look) -> Line:
    inside = {one.task.id for one in plan.steps}
    also = [name for name in step.task.spec.after if name in inside]
    words_also = f", builds on {', '.join(look.clean(name) for name in also)}" if len(also) > 1 else ""
    commits = len(step.replayed.pairs)
    what = f"{plural(commits, 'commit')}, {plural(len(step.paths), 'file')}" if commits else "nothing new: it is there"
    return [(what, ""), (words_also, "dim")]


def _clash_words(clash: MergeConflict, look: Look) -> Line:
    room = None if look.width is None else max(30, look.width - 30)
    partners = ", ".join(look.clean(name) for name in clash.partners)
    paths = look.clean(_listed(clash.paths), room)
    line: Line = [("conflicts in ", "red"), (paths, "bold")]
    return [*line, (" with ", "red"), (partners, "bold")] if partners else [*line, (" with what is merged", "red")]


def _listed(paths: Sequence[str], most: int = 3) -> str:
    more = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {more} more" if more > 0 else "")


def _failure_words(failure: Failure, look: Look) -> Line:
    check = look.clean(failure.check)
    if failure.partners:
        partners = ", ".join(look.clean(name) for name in failure.partners)
        return [("green alone, check ", "red"), (check, "bold"), (" is red together with ", "red"), (partners, "bold")]
    how = " is red with it alone" if failure.alone is False else " fails with it"
    return [("left out: check ", "red"), (check, "bold"), (how, "red")]


def _held_words(held: Blocked, look: Look) -> Line:
    return [("waits: ", "yellow"), (look.clean(held.reason), "")]


def merge_result(plan: MergePlan, integration: str, *, look: Look | None = None) -> str:
    """Return what a merge did: what went in and as what, what did not and why. That nothing went in is said in red."""
    look = look or of_stdout()
    left_out = _left_out(plan, look)
    names = [*(step.task.id for step in plan.steps), *left_out]
    widest = max((cells(look.clean(name)) for name in names), default=0)
    lines = merge_branches.base_lines(plan, integration, look)
    lines += [_merged_line(step, widest, look) for step in plan.steps]
    outputs = {failure.task.id: failure.output for failure in plan.failures if failure.output}
    for task, mark, said in left_out.values():
        lines.append([mark, (f" {_padded(task, widest, look)}  ", "bold"), *said])
        if task.id in outputs:
            lines.append([("  see ", "dim"), (look.clean(outputs[task.id]), "dim")])
    if plan.red_base:
        base = look.clean(integration) if plan.before else f"the base {plan.onto[:7]}"
        lines.append(
            [(f"{base} fails by itself: {look.clean(plan.red_base)}", "bold red"), (": no task is blamed", "")]
        )
    for flake in plan.flakes:
        again = f"{look.clean(flake.name)} failed and passed on the same tree {flake.tree[:7]}: a flake"
        lines.append([(f"{look.pick('↺', '~')} {again}", "yellow")])
    lines += merge_branches.resolved_lines(plan, look)
    lines += flow(_merge_count(plan, integration, look), look)
    lines += merge_branches.target_lines(plan, look, dry_run=False)
    return paint([*lines, *_merge_commands(plan, integration, look)], look)


def _padded(task: Task, widest: int, look: Look) -> str:
    shown = look.clean(task.id)
    return shown + " " * (widest - cells(shown))


def _merged_line(step: MergeStep, widest: int, look: Look) -> Line:
    commits = plural(len(step.replayed.pairs), "commit")
    return [
        (f"{look.pick('✓', '+')} ", "green"),
        (_padded(step.task, widest, look), "bold"),
        (f"  {commits} as {step.replayed.tip[:7]}", ""),
    ]


def _merge_count(plan: MergePlan, integration: str, look: Look) -> Line:
    into = look.clean(integration)
    if not plan.steps:
        why = "nothing is approved" if not _count(plan) else f"{_count(plan)} left out"
        as_it_was = f"{into} is unchanged." if plan.tip == plan.before or plan.target is None else ""
        return [(f"Nothing was merged: {why}. ", "bold red"), (as_it_was, "")]
    checked = f"{plural(len(plan.results), 'check')} passed on this very tree" if plan.results else "no check judged it"
    was = f"{plan.before[:7]}..{plan.tip[:7]}" if plan.before else f"new, at {plan.tip[:7]}"
    line: Line = [(f"{plural(len(plan.steps), 'task')} merged into {into} ", "bold"), (f"({was})", "")]
    return [*line, (f"{look.dot}{checked}", "green" if plan.results else "bold red")]


def _merge_commands(plan: MergePlan, integration: str, look: Look) -> list[Line]:
    if plan.is_stuck:
        return commands(merge_branches.rebase_command(plan, integration, look), look)
    if not plan.steps and not _count(plan) and not plan.red_base:
        return commands(merge_branches.target_commands(plan, look), look) if plan.target else _to_review(look)
    found = [
        (f"{PROGRAM} retry {clash.task.id}", "a fresh attempt, on top of the others") for clash in plan.conflicts[:2]
    ]
    found += [(f"{PROGRAM} revise {one.task.id}", "send it back with what fails") for one in plan.failures[:2]]
    if plan.failures or plan.red_base:
        found.append((f"{PROGRAM} merge --recheck", "test again what was found red"))
    take = [(f"git merge {look.clean(integration)}", "take it into the branch you are on")] if plan.steps else []
    return commands([*found, *(merge_branches.target_commands(plan, look) or take)], look)
