"""The runs of a repository, one line when a run starts and one when it ends: `runs.jsonl`, only appended to.

A run without a second line was killed, or goes on.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import State
from gitorch.storage import atomic

FILE = "runs.jsonl"


class RunTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task as a run left it; `outcome` is that of its last attempt."""

    id: TaskId
    title: str
    state: State
    outcome: str = ""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run. Without `ended` it was killed, or goes on; only the limits that it has are known then.

    These are `max_agents` at a time, `budget` in dollars (0: none), and `until` when it starts tasks. `stopped` says
    why it started no more tasks; `usage` is that of the attempts that ended in it.
    """

    started: datetime
    ended: datetime | None = None
    stopped: str = ""
    interrupted: bool = False
    usage: Usage = Usage()
    max_agents: int = 0
    budget: float = 0.0
    until: datetime | None = None
    tasks: tuple[RunTask, ...] = ()


def append(folder: Path, record: RunRecord) -> None:
    """Record the start or the end of a run in the state folder; call with the run lock held."""
    atomic.append(folder / FILE, [msgspec.json.encode(record)])


def read(folder: Path) -> list[RunRecord]:
    """Return the runs, oldest first; lines that cannot be read are skipped."""
    records: dict[datetime, RunRecord] = {}
    for line in atomic.read_or_empty(folder / FILE).splitlines():
        try:
            record = typed.from_json(line, RunRecord)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        records[record.started] = record
    return sorted(records.values(), key=lambda record: record.started)
