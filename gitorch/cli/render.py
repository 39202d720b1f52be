"""Values as text for people: whose turn it is, one task, who works, what happened. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli import words
from gitorch.cli.layout import (
    FIELD_INDENT,
    Column,
    Fit,
    Line,
    Look,
    Piece,
    fields,
    fit,
    hidden_line,
    paint,
    table,
    wrap,
)
from gitorch.cli.safe import cells, safe_block
from gitorch.cli.words import Turn, plural
from gitorch.errors import GitorchError
from gitorch.model.outcome import Event, Usage
from gitorch.model.task import CheckResult, Comment, Phase, State, Task

if TYPE_CHECKING:
    from gitorch.flow.scheduler import RunSummary

PROGRAM = "orchestrate"
NARROW = 60
ROWS = 44
_LEAST_ROWS = 3
_MOST_OVER = 5
_LONGEST_RESULT = 12

# ---------------------------------------------------------------------------------------------------- status


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` says above the tasks: the repository, the branch the user is on, and where approved work goes.

    `running` tells whether a run is going on; `warnings` is what the user must know first.
    """

    repository: str
    branch: str = ""
    integration: str = ""
    integration_oid: str = ""
    running: bool = False
    warnings: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of tasks beside the task file: the size of diffs, and what agents do now, by task id."""

    diffs: Mapping[str, words.Change] = {}
    activity: Mapping[str, str] = {}


_STATUS_COLUMNS = (
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

_SECTIONS = (
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
    known: Known | None = None,
) -> str:
    """Return whose turn it is: first what waits for the user, then what goes on, then what is done.

    `now` is in the zone in which times are shown. Without `show_all` the rest of a long group is only counted.
    """
    lines = _status_header(place, look)
    if not tasks:
        return paint([*lines, *_nothing_yet(look)], look)
    groups = grouped(tasks.values())
    kept = {one: len(group) for one, group in groups.items()} if show_all else shares(groups, ROWS)
    shown = {one: group[: kept[one]] for one, group in groups.items()}
    rows = {
        task.id: _status_row(task, tasks, now, look, known or Known()) for group in shown.values() for task in group
    }
    left = {one: len(group) - kept[one] for one, group in groups.items()}
    lines += _status_body(shown, left, rows, look)
    lines += [*_gap(look), summary_line(tasks.values(), look), *_next_commands(groups, place, look)]
    return paint(lines, look)


def grouped(tasks: Sequence[Task] | Mapping[str, Task] | object) -> dict[Turn, list[Task]]:
    raise NotImplementedError
