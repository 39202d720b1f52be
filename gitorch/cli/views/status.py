"""The page of `status`: whose turn it is. Its own quick layout, because it is asked for all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from gitorch.cli.terminal.layout import Column, Fit, Line, Look, Piece, cut, fit, flow, hidden_line, paint, wrap
from gitorch.cli.terminal.sanitize import cells
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import forecast, labels
from gitorch.cli.views.labels import Turn, plural
from gitorch.model.forecast import Candidate, Conflict
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import State, Task, urgency

PROGRAM = "orchestrate"
NARROW = 60
ROWS = 38
_LEAST_ROWS = 3
_MOST_OVER = 5


class _Place(NamedTuple):
    repository: str
    branch: str
    integration: str
    tip: str | None
    running: bool


class _Seen(NamedTuple):
    tasks: Mapping[TaskId, Task]
    diffs: Mapping[str, labels.Change]
    activity: Mapping[str, str]
    conflicts: Mapping[TaskId, str]
    now: datetime


_COLUMNS = (
    Column(title=""),
    Column(title="Task"),
    Column(title="State"),
    Column(title="Attempt", right=True, hide=5),
    Column(title="Took", right=True, hide=3),
    Column(title="Diff", right=True, hide=2),
    Column(title="Checks", hide=1),
    Column(title="Cost", right=True, hide=4),
    Column(title="Next"),
)

_SECTIONS: tuple[tuple[str, tuple[Turn, ...]], ...] = (
    ("Your turn", labels.YOURS),
    ("Running", (Turn.RUNNING, Turn.PAUSED)),
    ("Approved", (Turn.MERGE,)),
    ("Queued", (Turn.QUEUED,)),
    ("Done", labels.OVER),
)


def status(
    tasks: Iterable[Task],
    *,
    integration: str = "",
    tip: str | None = None,
    repository: str = "",
    branch: str = "",
    running: bool = False,
    warnings: Sequence[str] = (),
    show_all: bool = False,
    diffs: Mapping[str, labels.Change] | None = None,
    activity: Mapping[str, str] | None = None,
    conflicts: Sequence[Conflict] = (),
    candidate: Candidate | None = None,
    look: Look | None = None,
    now: datetime | None = None,
) -> str:
    """Return whose turn it is: first what waits for the user, then what goes on, then what is done.

    `repository` and `branch` name where the user is, `tip` the integration branch's commit, `running` tells whether a
    run is going on, `warnings` is what the user must know first. `diffs` and `activity` hold what is known beside the
    task file, by task id; `conflicts` and `candidate` what is foreseen of the merge.
    Without `show_all` the rest of a long group is only counted. `look` is by default that of
    stdout; times are shown in the zone of `now`.
    """
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    place = _Place(repository=repository, branch=branch, integration=integration, tip=tip, running=running)
    lines = [*_header(place, look), *(line for text in warnings for line in _warning(text, look)), *gap(look)]
    by_name: dict[TaskId, Task] = {task.id: task for task in tasks}
    if not by_name:
        return paint([*lines, *_nothing_yet(look)], look)
    groups = grouped(by_name.values())
    kept = {one: len(group) for one, group in groups.items()} if show_all else shares(groups, ROWS)
    seen = _Seen(
        tasks=by_name, diffs=diffs or {}, activity=activity or {}, conflicts=forecast.marks(conflicts), now=now
    )
    rows = {one: [_row(task, seen, look) for task in group[: kept[one]]] for one, group in groups.items()}
    rests = {one: _rest(one, len(group) - kept[one], look) for one, group in groups.items()}
    narrow = look.width is not None and look.width < NARROW
    lines += _two_lines(rows, rests, look) if narrow else _columns(rows, rests, look)
    if known := [*forecast.will_conflict(conflicts, look), *forecast.candidate(candidate, look)]:
        lines += [*gap(look), *known]
    lines += [*gap(look), *flow(summary(by_name.values(), look), look), *commands(_next(groups, place), look)]
    return paint(lines, look)


def grouped(tasks: Iterable[Task]) -> dict[Turn, list[Task]]:
    """Sort tasks by whose turn they are; within a turn in the order in which they want to be met."""
    groups: dict[Turn, list[Task]] = {one: [] for one in Turn}
    for task in tasks:
        groups[labels.turn(task)].append(task)
    for one, group in groups.items():
        by = urgency if one is Turn.QUEUED else attrgetter("number")
        group.sort(key=by, reverse=one in labels.OVER)
    return {one: group for one, group in groups.items() if group}


def shares(groups: Mapping[Turn, Sequence[Task]], room: int) -> dict[Turn, int]:
    """Divide `room` lines among groups: a few for each, the rest to the first ones; of what is over only the last."""
    wanted = {one: min(len(group), _MOST_OVER if one in labels.OVER else room) for one, group in groups.items()}
    given = {one: min(count, _LEAST_ROWS) for one, count in wanted.items()}
    left = room - sum(given.values())
    for one, count in wanted.items():
        more = min(count - given[one], max(left, 0))
        given[one] += more
        left -= more
    # a line that says "1 more" could as well be that one
    return {one: count + (len(groups[one]) - count == 1) for one, count in given.items()}


def _header(place: _Place, look: Look) -> list[Line]:
    parts: Line = [(look.clean(place.repository), "bold")] if place.repository else []
    if place.branch:
        parts.append((f"   on {look.clean(place.branch)}", ""))
    if place.integration:
        at = f"at {place.tip[:7]}" if place.tip else "(nothing merged yet)"
        parts.append((f"   {look.clean(place.integration)} {at}", ""))
    if place.running:
        parts.append(("   a run is going on", "blue"))
    if parts:
        parts[0] = (parts[0][0].lstrip(), parts[0][1])
    return flow(parts, look) if parts else []


def _warning(text: str, look: Look) -> list[Line]:
    first, *rest = wrap(look.clean(text), look, indent=2)
    mark = look.pick("▲", "!")
    return [[(f"{mark} ", "yellow"), (first, "yellow")], *([("  ", ""), (line, "yellow")] for line in rest)]


def _nothing_yet(look: Look) -> list[Line]:
    return [
        [("No tasks yet.", "")],
        *commands(
            [
                (f'{PROGRAM} submit "what should be done"', "queue the first one"),
                (f"{PROGRAM} demo", "see the whole loop, with no agent"),
            ],
            look,
        ),
    ]


def gap(look: Look) -> list[Line]:
    """Return an empty line where a person reads, nothing where a program does."""
    return [[]] if look.width is not None else []


def _row(task: Task, seen: _Seen, look: Look) -> list[Piece]:
    symbol, style = labels.mark(task, look)
    widest = None if look.width is None else max(16, look.width * 2 // 5)
    return [
        (symbol, style),
        (look.clean(task.id, widest), "bold" if labels.turn(task) in labels.YOURS else ""),
        (f"{task.state}", labels.style(labels.turn(task))),
        (str(task.attempts) if task.attempts else "", ""),
        (labels.took(task.attempt, seen.now), ""),
        (labels.lines_changed(seen.diffs.get(task.id)), ""),
        labels.checks(task, look),
        (labels.cost(task.spent), ""),
        _next_cell(task, seen, look),
    ]


def _next_cell(task: Task, seen: _Seen, look: Look) -> Piece:
    verb, why = labels.step(task, seen.tasks, seen.now, seen.activity.get(task.id, ""))
    urgent = "" if task.attempts else labels.priority(task)
    will = "" if task.state is State.CONFLICTED else seen.conflicts.get(task.id, "")
    text = look.clean("; ".join(part for part in (urgent, why, will) if part), look.width)
    said = f"{verb}: {text}" if verb and text else verb or text
    return said, _next_style(task, why)


def _next_style(task: Task, why: str) -> str:
    if labels.turn(task) in (Turn.RESOLVE, Turn.MEND) or task.passed is False or "no check judged" in why:
        return "red"
    blocked = labels.turn(task) is Turn.QUEUED and ("(" in why or task.reason)
    return "yellow" if blocked or task.stale or labels.turn(task) is Turn.ANSWER else ""


def _rest(one: Turn, count: int, look: Look) -> Line:
    if count <= 0:
        return []
    return [(f"{look.ellipsis} {count} more {one}, see them with {PROGRAM} status --all", "dim")]


_Rows = Mapping[Turn, Sequence[list[Piece]]]
_Rests = Mapping[Turn, Line]


def _columns(rows: _Rows, rests: _Rests, look: Look) -> list[Line]:
    """Lay all tasks out in the same columns, under the headings of their sections where a person reads them."""
    indent = "" if look.width is None else "  "
    fitted = fit(_COLUMNS, [row for group in rows.values() for row in group], look, indent)
    lines: list[Line] = [fitted.header()]
    for title, turns in _SECTIONS:
        section = [line for one in turns for line in _section_lines(rows.get(one, ()), rests.get(one, []), fitted)]
        if section and indent:
            lines.append([(title, "bold")])
        lines += section
    return [*lines, *hidden_line(fitted, indent)]


def _section_lines(rows: Sequence[list[Piece]], rest: Line, fitted: Fit) -> list[Line]:
    return [*map(fitted.row, rows), *([[(fitted.indent, ""), *rest]] if rest else [])]


def _two_lines(rows: _Rows, rests: _Rests, look: Look) -> list[Line]:
    """Give each task two lines, where the terminal is too narrow for columns."""
    lines: list[Line] = []
    for one, group in rows.items():
        for row in group:
            lines += _pair(row, look)
        if rests[one]:
            lines.append([("  ", ""), (look.clean(rests[one][0][0], (look.width or NARROW) - 2), "dim")])
    return lines


def _pair(row: list[Piece], look: Look) -> list[Line]:
    symbol, name, state, attempt, *middle, why = row
    facts = [(f"attempt {attempt[0]}" if attempt[0] else "", ""), *middle]
    told = look.dot.join(text for text, _ in facts if text)
    room = (look.width or NARROW) - 2
    second = [part for part in (why[0], told) if part]
    lines: list[Line] = [cut([symbol, (" ", ""), name, ("  ", ""), state], look)]
    return [*lines, [("  ", ""), (look.clean(look.dot.join(second), room), why[1] if why[0] else "dim")]]


_SUMMARY_STYLES = {Turn.MEND: "bold red", Turn.RESOLVE: "bold red", Turn.REVIEW: "bold", Turn.ANSWER: "bold"}


def summary(tasks: Iterable[Task], look: Look) -> Line:
    """Return one line that counts tasks by whose turn they are, and what they cost."""
    counted = list(tasks)
    line: Line = [(f"{plural(len(counted), 'task')}: ", "")]
    groups = grouped(counted)
    for place, (one, group) in enumerate(groups.items(), start=1):
        comma = ", " if place < len(groups) else ""
        line.append((f"{len(group)} {one}{comma}", _SUMMARY_STYLES.get(one, "")))
    spent = total(counted)
    return [*line, (look.dot + spent, "dim")] if spent else line


def total(tasks: Iterable[Task]) -> str:
    """Return what the last attempts of tasks cost together: dollars where told, tokens where not."""
    usages = [task.spent for task in tasks if task.spent]
    priced = [usage.usd for usage in usages if usage.usd is not None]
    unpriced = sum((usage for usage in usages if usage.usd is None), start=Usage())
    parts = [labels.dollars(sum(priced))] if priced else []
    if tokens := labels.cost(unpriced):
        parts.append(f"{tokens} without a price")
    return " + ".join(parts)


def _next(groups: Mapping[Turn, Sequence[Task]], place: _Place) -> list[tuple[str, str]]:
    """Return the commands that are the user's to give now, the most urgent first."""
    found = []
    if one := groups.get(Turn.REVIEW):
        found.append((f"{PROGRAM} review", f"{len(one)} to review"))
    if one := groups.get(Turn.ANSWER):
        found.append((f"{PROGRAM} log {one[0].id}", "what its agent asks"))
    if one := groups.get(Turn.RESOLVE):
        found.append((f"{PROGRAM} merge -n", f"{len(one)} in conflict: with what, and where"))
    if one := groups.get(Turn.MERGE):
        found.append((f"{PROGRAM} merge", f"{len(one)} approved"))
    if one := groups.get(Turn.MEND):
        found.append((f"{PROGRAM} log {one[0].id}", "why it failed"))
    if place.running:
        found.append((f"{PROGRAM} watch", "the run that is going on"))
    elif one := (groups.get(Turn.RUNNING) or groups.get(Turn.QUEUED)):
        found.append((f"{PROGRAM} run", f"{len(one)} {labels.turn(one[0])}, and no run is going on"))
    return found[:3]


def commands(found: Sequence[tuple[str, str]], look: Look) -> list[Line]:
    """Return lines with commands to copy, never cut, and what each is for where that has room."""
    shown = [(look.clean(command), why) for command, why in found]
    widest = max((cells(command) for command, _ in shown), default=0)
    arrow = look.pick("↳", "->")
    lines: list[Line] = []
    for command, why in shown:
        room = look.width is None or look.width >= widest + len(why) + 6
        told = " " * (widest - cells(command) + 3) + why if why and room else ""
        lines.append([(f"{arrow} ", "dim"), (command, "bold"), (told, "dim")])
    return lines
