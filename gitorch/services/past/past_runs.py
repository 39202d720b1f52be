"""Earlier runs: recorded when they start and when they end; of one that was killed, what its attempts came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from gitorch.flow.scheduling.run_limits import RunLimits
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import Usage
from gitorch.model.task import ALIVE, Attempt, PastAttempt, Task
from gitorch.services.past.past_tasks import past_tasks
from gitorch.services.run_lock import is_locked, is_running
from gitorch.services.workspace import Workspace
from gitorch.storage import run_records
from gitorch.storage.run_records import RunRecord, RunTask


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run; `is_active` while it goes on. One that neither goes on nor has ended was killed."""

    record: RunRecord
    is_active: bool = False

    @property
    def was_killed(self) -> bool:
        return self.record.ended is None and not self.is_active

    @property
    def seconds(self) -> float | None:
        """How long it took; None where that is unknown."""
        return (self.record.ended - self.record.started).total_seconds() if self.record.ended else None


def begin(workspace: Workspace, started: datetime, limits: RunLimits) -> None:
    """Record that a run has started, and its limits, unless it has nothing to do."""
    if any(task.state in ALIVE for task in workspace.tasks.values()):
        record = RunRecord(started=started, max_agents=limits.max_agents, budget=limits.budget, until=limits.until)
        run_records.append(workspace.folder, record)


def active_run(folder: Path) -> RunRecord | None:
    """Return the record of the run that goes on, by the state folder; None if none does."""
    records = run_records.read(folder) if is_locked(folder) else []
    return records[-1] if records and records[-1].ended is None else None


def end(workspace: Workspace, record: RunRecord, tasks: Iterable[Task]) -> None:
    """Record how a run ended, and the tasks that it changed, if there are any."""
    changed = tuple(_run_task(task, task.attempt) for task in tasks)
    if changed or any(begun.started == record.started for begun in run_records.read(workspace.folder)):
        record = msgspec.structs.replace(record, stopped=redacted(record.stopped), tasks=changed)
        run_records.append(workspace.folder, record)


def past_runs(workspace: Workspace) -> list[PastRun]:
    """Return the runs of this repository, latest first."""
    records = run_records.read(workspace.folder)
    if not records:
        return []
    is_active = records[-1].ended is None and is_running(workspace)
    ends: list[datetime | None] = [*(record.started for record in records[1:]), None]
    tasks: list[Task] = []
    if any(record.ended is None for record in records):
        tasks = [*workspace.tasks.values(), *(past.task for past in past_tasks(workspace))]
    runs = [
        PastRun(record=record if record.ended else _attempted(record, tasks, end))
        for record, end in zip(records, ends, strict=True)
    ]
    runs[-1] = msgspec.structs.replace(runs[-1], is_active=is_active)
    return runs[::-1]


def _attempted(record: RunRecord, tasks: Sequence[Task], end: datetime | None) -> RunRecord:
    """Return a run without an end, with the attempts that started in its time."""
    attempts = [
        (task, attempt)
        for task in tasks
        for attempt in _all_attempts(task)
        if attempt.started and record.started - _ROUNDING <= attempt.started and (end is None or attempt.started < end)
    ]
    usages = [attempt.usage for _, attempt in attempts if attempt.usage]
    last = {task.id: _run_task(task, attempt) for task, attempt in attempts}
    return msgspec.structs.replace(record, tasks=tuple(last.values()), usage=sum(usages, start=Usage()))


def _all_attempts(task: Task) -> list[Attempt | PastAttempt]:
    return [*task.past, *([task.attempt] if task.attempt else [])]


_ROUNDING = timedelta(seconds=1)


def _run_task(task: Task, attempt: Attempt | PastAttempt | None) -> RunTask:
    outcome = attempt.outcome if attempt else ""
    return RunTask(id=task.id, title=redacted(task.title), state=task.state, outcome=outcome)
