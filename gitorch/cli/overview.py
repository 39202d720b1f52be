"""The page of `status`: whose turn it is. Its own quick layout, because it is asked for all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from gitorch.cli import words
from gitorch.cli.layout import Column, Fit, Line, Look, Piece, fit, hidden_line, paint
from gitorch.cli.safe import cells
from gitorch.cli.words import Turn, plural
from gitorch.model.outcome import Usage
from gitorch.model.task import Priority, Task

PROGRAM = "orchestrate"
NARROW = 60
ROWS = 44
_LEAST_ROWS = 3
_MOST_OVER = 5


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` says above the tasks: the repository, the branch the user is on, and where approved work goes.

    `running` tells whether a run is going on; `warnings` is what the user must know first.
    """

    repository: str
    branch: str = ""
    integration: str = ""
    integration_oid: str | None = None
    running: bool = False
    warnings: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the task file: the size of diffs, and what agents do now, by task id."""

    diffs: Mapping[str, words.Change] = {}
    activity: Mapping[str, str] = {}


NOTHING_MORE = Known()

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
    ("Your turn", words.YOURS),
    ("Running", (Turn.RUNNING, Turn.PAUSED)),
    ("Approved", (Turn.MERGE,)),
    ("Queued", (Turn.QUEUED,)),
    ("Done", words.OVER),
)


def status(
    tasks: Mapping[str, Task],
    place: Place,
    *,
    look: Look,
    now: datetime,
    show_all: bool = False,
    known: Known = NOTHING_MORE,
) -> str:
    """Return whose turn it is: first what waits for the user, then what goes on, then what is done.

    `now` is in the zone in which times are shown. Without `show_all` the rest of a long group is only counted.
    """
    lines = _header(place, look)
    if not tasks:
        return paint([*lines, *_nothing_yet(look)], look)
    groups = grouped(tasks.values())
    kept = {one: len(group) for one, group in groups.items()} if show_all else shares(groups, ROWS)
    rows = {
        one: [_row(task, tasks, now, look, known) for task in group[: kept[one]]] for one, group in groups.items()
    }
    rests = {one: _rest(one, len(group) - kept[one], look) for one, group in groups.items()}
    body = _two_lines(rows, rests, look) if look.width and look.width < NARROW else _columns(rows, rests, look)
    lines += [*body, *_gap(look), summary(tasks.values(), look), *commands(_next(groups, place), look)]
    return paint(lines, look)


def grouped(tasks: Iterable[Task]) -> dict[Turn, list[Task]]:
    """Sort tasks by whose turn they are; within a turn in the order in which they want to be met."""
    groups: dict[Turn, list[Task]] = {one: [] for one in Turn}
    for task in tasks:
        groups[words.turn(task)].append(task)
    for one, group in groups.items():
        group.sort(key=_order(one))
    return {one: group for one, group in groups.items() if group}


_RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


def _order(one: Turn):  # type: ignore[no-untyped-def]
    if one in words.OVER:
        return lambda task: -task.number
    return lambda task: (_RANK[task.priority] if one is Turn.QUEUED else 0, task.number)


def shares(groups: Mapping[Turn, Sequence[Task]], room: int) -> dict[Turn, int]:
    """Divide `room` lines among groups: a few for each, the rest to the first ones; of what is over only the last."""
    wanted = {one: min(len(group), _MOST_OVER if one in words.OVER else room) for one, group in groups.items()}
    given = {one: min(count, _LEAST_ROWS) for one, count in wanted.items()}
    left = room - sum(given.values())
    for one, count in wanted.items():
        more = min(count - given[one], max(left, 0))
        given[one] += more
        left -= more
    # a line that says "1 more" could as well be that one
    return {one: count + (len(groups[one]) - count == 1) for one, count in given.items()}
