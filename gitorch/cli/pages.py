"""The pages of the morning: what waits for review, one task's card, and what a merge would do or did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gitorch.cli import words
from gitorch.cli.layout import FIELD_INDENT, Column, Line, Look, Piece, fields, flow, paint, table, wrap
from gitorch.cli.overview import PROGRAM, commands, gap
from gitorch.cli.safe import cells, safe_block
from gitorch.cli.screen import of_stdout
from gitorch.cli.words import plural
from gitorch.model.task import CheckResult, Comment, Task

if TYPE_CHECKING:
    from gitorch.flow.merger import Clash, Failure, Held, Plan, Step
    from gitorch.flow.review import Card, Change, Signal

_MOST_FILES = 20
_MOST_COMMITS = 12
_RISK_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}
_STATUS_WORDS = {"A": "added", "D": "deleted", "T": "type changed"}

# ----------------------------------------------------------------------------------------------------- review

_REVIEW_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task"),
    Column(title="Risk"),
    Column(title="Diff", right=True, hide=2),
    Column(title="Checks"),
    Column(title="Cost", right=True, hide=1),
    Column(title="Why"),
)


def review_list(cards: Sequence[Card], *, look: Look | None = None) -> str:
    """Return what waits for a review, in the order given (the riskiest first), with the reason for the order."""
    look = look or of_stdout()
    if not cards:
        nothing: Line = [("Nothing waits for a review.", "")]
        return paint([nothing, *commands([(f"{PROGRAM} status", "whose turn it is")], look)], look)
    rows = [_review_row(number, one, look) for number, one in enumerate(cards, start=1)]
    added, removed = sum(one.added for one in cards), sum(one.removed for one in cards)
    count: Line = [(f"{plural(len(cards), 'task')} to review, +{added} -{removed} lines", "")]
    first = cards[0].task.id
    return paint(
        [*table(_REVIEW_COLUMNS, rows, look), *gap(look), count, *commands([(f"{PROGRAM} review {first}", "")], look)],
        look,
    )


def _review_row(number: int, one: Card, look: Look) -> list[Piece]:
    return [
        (str(number), ""),
        (look.clean(one.task.id), "bold"),
        (one.risk, _RISK_STYLES[one.risk]),
        (words.lines_changed((one.added, one.removed)), ""),
        words.checks(one.task, look),
        (words.cost(one.task.spent), ""),
        (look.clean("; ".join(_signal_words(signal) for signal in one.signals) or "nothing stands out"), ""),
    ]


def _signal_words(signal: Signal) -> str:
    return f"{signal.text}: {signal.path}" if signal.path else signal.text


def card(one: Card, *, look: Look | None = None, now: datetime | None = None) -> str:
    """Return what a reviewer needs to see of one task before its diff."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    task = one.task
    last = task.attempt
    body = fields(
        [
            ("Risk", [[(one.risk, _RISK_STYLES[one.risk])]]),
            ("Checks", check_lines(task, look) or [[("none: no check judged this", "red")]]),
            ("Signals", [_signal_line(signal, look) for signal in one.signals]),
            ("Commits", _shortened([[(_fitted(text, look), "")] for text in one.commits], _MOST_COMMITS, look)),
            ("Files", _file_lines(one, look)),
            ("Comments", comment_lines(task.comments, look)),
            ("Agent", _block(last.summary if last else "", look)),
        ]
    )
    return paint([*_card_head(task, look, now), [], *body], look)


def _card_head(task: Task, look: Look, now: datetime) -> list[Line]:
    facts = [
        f"attempt {task.attempts}" if task.attempts else "",
        look.clean(task.attempt.agent) if task.attempt else "",
        words.took(task.attempt, now),
        words.cost(task.spent),
        "adopted" if task.adopted else "",
    ]
    head: Line = [(look.clean(task.id), "bold")]
    head += [(look.dot + fact, "") for fact in facts if fact]
    if task.branch:
        head.append((f"   {look.clean(task.branch)}", "dim"))
    if task.after:
        head.append((f" on {', '.join(look.clean(name) for name in task.after)}", "dim"))
    stale: list[Line] = [[("  stale: what it builds on has changed since", "yellow")]] if task.stale else []
    title = wrap(safe_block(task.title), look, 2)
    return [*flow(head, look), *([(f"  {look.clean(line)}", "")] for line in title), *stale]


def check_lines(task: Task, look: Look) -> list[Line]:
    """Return one line for each check: how it ended, its name and command, and where its output is when it failed."""
    lines: list[Line] = []
    widest = max((cells(look.clean(result.name)) for result in task.results), default=0)
    for result in task.results:
        lines.append(_check_line(result, widest, look))
        if not result.passed and result.output:
            lines.append([("  see ", "dim"), (look.clean(result.output), "dim")])
    return lines


def _check_line(result: CheckResult, widest: int, look: Look) -> Line:
    symbol, style = (look.pick("✓", "ok"), "green") if result.passed else (look.pick("✗", "x"), "red")
    name = look.clean(result.name)
    room = None if look.width is None else max(12, look.width - widest - 44)
    return [
        (f"{symbol} ", style),
        (name + " " * (widest - cells(name)), ""),
        (f"  {words.verdict(result)}", style),
        (f"  {words.duration(result.seconds)}", ""),
        (f"  {look.clean(result.command, room)}", "dim"),
    ]


def comment_lines(comments: Iterable[Comment], look: Look) -> list[Line]:
    """Return comments as numbered lines with their places."""
    lines: list[Line] = []
    for number, comment in enumerate(comments, start=1):
        place = look.clean(f"{comment.file}:{comment.line}" if comment.line else comment.file)
        text = wrap(safe_block(comment.text), look, FIELD_INDENT + 3)
        if place:
            lines.append([(f"{number}. ", ""), (place, "cyan")])
        lines += [
            [("   " if at or place else f"{number}. ", ""), (look.clean(line), "")] for at, line in enumerate(text)
        ]
    return lines


def _signal_line(signal: Signal, look: Look) -> Line:
    style = {3: "red", 2: "yellow"}.get(signal.weight, "")
    line: Line = [(f"{look.pick('▲', '!')} ", style), (look.clean(signal.text, look.width), style)]
    return [*line, ("  ", ""), (_fitted(signal.path, look, cells(signal.text) + 4), "")] if signal.path else line


def _fitted(text: str, look: Look, taken: int = 0) -> str:
    """Return foreign text as one line that fits beside a label and what stands before it."""
    return look.clean(text, None if look.width is None else max(12, look.width - FIELD_INDENT - taken))


def _file_lines(one: Card, look: Look) -> list[Line]:
    widest = max((cells(_path(change, look)) for change in one.changes), default=0)
    lines = _shortened([_file_line(change, widest, look) for change in one.changes], _MOST_FILES, look)
    if len(one.changes) > 1:
        lines.append([(f"{len(one.changes)} files, +{one.added} -{one.removed}", "dim")])
    return lines


def _path(change: Change, look: Look) -> str:
    return _fitted(change.path, look, 24)


def _file_line(change: Change, widest: int, look: Look) -> Line:
    path = _path(change, look)
    line: Line = [(path + " " * (widest - cells(path)) + "  ", "")]
    if change.added is None or change.removed is None:
        line.append(("binary", "yellow"))
    else:
        line += [(f"+{change.added}", "green"), (f" -{change.removed}", "red")]
    return [*line, (f"  {_STATUS_WORDS[change.status]}", "dim")] if change.status in _STATUS_WORDS else line


def _shortened(lines: list[Line], most: int, look: Look) -> list[Line]:
    more = len(lines) - most
    return lines if more <= 1 else [*lines[:most], [(f"{look.ellipsis} {more} more", "dim")]]


def _block(text: str, look: Look) -> list[Line]:
    if not text.strip():
        return []
    return [[(look.clean(line), "")] for line in wrap(safe_block(text.strip("\n")), look, FIELD_INDENT)]


# ------------------------------------------------------------------------------------------------------ merge


def merge_plan(plan: Plan, integration: str, *, look: Look | None = None) -> str:
    """Return what a merge would do, as a tree in dependency order, with the conflicts it would meet."""
    look = look or of_stdout()
    into = look.clean(integration)
    onto = f" on top of {plan.onto[:7]}" if plan.before is None else f" at {plan.onto[:7]}"
    head: Line = [("Into ", ""), (into, "bold"), (f"{onto}, in this order. Nothing has been changed.", "")]
    if not (plan.steps or plan.clashes or plan.held or plan.failures):
        return paint([[("Nothing is approved: there is nothing to merge.", "")], *_to_review(look)], look)
    tree = _tree(plan, look)
    count: Line = [(f"{len(plan.steps)} of {_count(plan)} would go in", "bold" if plan.steps else "bold red")]
    if plan.clashes:
        count.append((f", {plural(len(plan.clashes), 'conflict')}", "bold red"))
    return paint([*flow(head, look), [], *tree, [], count, *commands(_plan_commands(plan), look)], look)


def _count(plan: Plan) -> int:
    return len(plan.steps) + len(_left_out(plan, Look()))


def _to_review(look: Look) -> list[Line]:
    return commands([(f"{PROGRAM} review", "approve what is good")], look)


def _plan_commands(plan: Plan) -> list[tuple[str, str]]:
    found = [
        (f"{PROGRAM} retry {clash.task.id}", "a fresh attempt, on top of the others") for clash in plan.clashes[:2]
    ]
    return [*found, (f"{PROGRAM} merge", f"merge {plural(len(plan.steps), 'task')}")] if plan.steps else found


_Node = tuple[Task, Piece, Line]
"""A task of a plan, its mark (a place in the order, or a symbol), and what is said of it."""


class _Tree(NamedTuple):
    nodes: Mapping[str, _Node]
    parents: Mapping[str, str | None]
    widest: int

    def below(self, name: str | None) -> list[str]:
        return [child for child, parent in self.parents.items() if parent == name]


def _tree(plan: Plan, look: Look) -> list[Line]:
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
    before = [name for name in task.after if name in order and order[name] < order[task.id]]
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


def _nodes(plan: Plan, look: Look) -> Iterator[_Node]:
    for place, step in enumerate(plan.steps, start=1):
        yield step.task, (str(place), "green"), _step_words(step, plan, look)
    yield from _left_out(plan, look).values()


def _left_out(plan: Plan, look: Look) -> dict[str, _Node]:
    """Return what does not go in, each task once: a merge that went task by task may name it twice."""
    inside = {step.task.id for step in plan.steps}
    return {node[0].id: node for node in _reasons(plan, look) if node[0].id not in inside}


def _reasons(plan: Plan, look: Look) -> Iterator[_Node]:
    for clash in plan.clashes:
        yield clash.task, (look.pick("≠", "!"), "bold red"), _clash_words(clash, look)
    for failure in plan.failures:
        yield failure.task, (look.pick("✗", "x"), "bold red"), _failure_words(failure, look)
    for held in plan.held:
        yield held.task, (look.pick("–", "-"), "yellow"), _held_words(held, look)  # noqa: RUF001


def _step_words(step: Step, plan: Plan, look: Look) -> Line:
    inside = {one.task.id for one in plan.steps}
    also = [name for name in step.task.after if name in inside]
    words_also = f", builds on {', '.join(look.clean(name) for name in also)}" if len(also) > 1 else ""
    commits = len(step.replayed.pairs)
    what = f"{plural(commits, 'commit')}, {plural(len(step.paths), 'file')}" if commits else "nothing new: it is there"
    return [(what, ""), (words_also, "dim")]


def _clash_words(clash: Clash, look: Look) -> Line:
    room = None if look.width is None else max(30, look.width - 30)
    partners = ", ".join(look.clean(name) for name in clash.partners)
    paths = look.clean(_listed(clash.paths), room)
    line: Line = [("conflicts in ", "red"), (paths, "bold")]
    return [*line, (" with ", "red"), (partners, "bold")] if partners else [*line, (" with what is merged", "red")]


def _listed(paths: Sequence[str], most: int = 3) -> str:
    more = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {more} more" if more > 0 else "")


def _failure_words(failure: Failure, look: Look) -> Line:
    return [("left out: check ", "red"), (look.clean(failure.check), "bold"), (" fails with it", "red")]


def _held_words(held: Held, look: Look) -> Line:
    return [("waits: ", "yellow"), (look.clean(held.reason), "")]


def merge_result(plan: Plan, integration: str, *, look: Look | None = None) -> str:
    """Return what a merge did: what went in and as what, what did not and why. That nothing went in is said in red."""
    look = look or of_stdout()
    left_out = _left_out(plan, look)
    names = [*(step.task.id for step in plan.steps), *left_out]
    widest = max((cells(look.clean(name)) for name in names), default=0)
    lines = [_merged_line(step, widest, look) for step in plan.steps]
    lines += [[mark, (f" {_padded(task, widest, look)}  ", "bold"), *said] for task, mark, said in left_out.values()]
    if plan.red_base:
        lines.append([(f"{look.clean(integration)} fails by itself: {look.clean(plan.red_base)}", "bold red")])
    return paint(
        [*lines, *flow(_merge_count(plan, integration, look), look), *_merge_commands(plan, integration, look)], look
    )


def _padded(task: Task, widest: int, look: Look) -> str:
    shown = look.clean(task.id)
    return shown + " " * (widest - cells(shown))


def _merged_line(step: Step, widest: int, look: Look) -> Line:
    commits = plural(len(step.replayed.pairs), "commit")
    return [
        (f"{look.pick('✓', '+')} ", "green"),
        (_padded(step.task, widest, look), "bold"),
        (f"  {commits} as {step.replayed.tip[:7]}", ""),
    ]


def _merge_count(plan: Plan, integration: str, look: Look) -> Line:
    into = look.clean(integration)
    if not plan.steps:
        why = "nothing is approved" if not _count(plan) else f"{_count(plan)} left out"
        return [(f"Nothing was merged: {why}. ", "bold red"), (f"{into} is unchanged.", "")]
    checked = f"{plural(len(plan.results), 'check')} passed on this very tree" if plan.results else "no check judged it"
    was = f"{plan.before[:7]}..{plan.tip[:7]}" if plan.before else f"new, at {plan.tip[:7]}"
    line: Line = [(f"{plural(len(plan.steps), 'task')} merged into {into} ", "bold"), (f"({was})", "")]
    return [*line, (f"{look.dot}{checked}", "green" if plan.results else "bold red")]


def _merge_commands(plan: Plan, integration: str, look: Look) -> list[Line]:
    if not plan.steps and not _count(plan):
        return _to_review(look)
    retries = [
        (f"{PROGRAM} retry {clash.task.id}", "a fresh attempt, on top of the others") for clash in plan.clashes[:2]
    ]
    take = [(f"git merge {look.clean(integration)}", "take it into the branch you are on")] if plan.steps else []
    return commands([*retries, *take], look)
