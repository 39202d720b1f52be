"""The record of runs: what is read back, also after a kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, PastAttempt, State, Task, TaskSpec
from gitorch.services.open import open_workspace
from gitorch.services.past.past_runs import past_runs
from gitorch.storage import run_records
from gitorch.storage.run_records import RunRecord, RunTask

NIGHT = datetime(2026, 11, 28, 23, tzinfo=UTC)


def test_a_killed_run_is_told_from_its_attempts(repository_folder: Path) -> None:
    """A run without an end has the attempts that started in its time; a torn line costs nothing else."""
    workspace = open_workspace(repository_folder)
    ended = RunRecord(
        started=NIGHT,
        ended=NIGHT + timedelta(hours=7),
        tasks=(RunTask(id=TaskId("first"), title="First", state=State.FINISHED),),
    )
    killed = NIGHT + timedelta(days=1)
    workspace.store.save([_task("early", NIGHT + timedelta(hours=1)), _task("late", killed + timedelta(minutes=5))])
    for record in (RunRecord(started=NIGHT), ended, RunRecord(started=killed)):
        run_records.append(workspace.folder, record)
    with (workspace.folder / run_records.FILE).open("ab") as file:
        file.write(b'{"started":"20')

    last, first = past_runs(workspace)
    assert (first.record, first.was_killed, first.seconds) == (ended, False, 7 * 3600)
    assert (last.was_killed, last.is_active, last.seconds) == (True, False, None)
    assert [task.id for task in last.record.tasks] == ["late"]
    assert last.record.usage == Usage(usd=0.5, turns=2)


def _task(name: str, started: datetime) -> Task:
    attempt = Attempt(number=2, agent="sh", started=started, usage=Usage(usd=0.25, turns=1))
    return Task(
        id=TaskId(name),
        number=len(name),
        spec=TaskSpec(title=name, prompt=name),
        state=State.FINISHED,
        attempts=2,
        attempt=attempt,
        past=(PastAttempt(number=1, agent="sh", started=started, usage=Usage(usd=0.25, turns=1)),),
    )
