"""The answers of `history`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import JsonAnswer, ObjectId, Timestamp, known_time, timestamp
from gitorch.cli.schema.task import CommentJson, CostJson, TaskDetailsJson, TaskJson
from gitorch.model.outcome import Usage
from gitorch.model.task import State

if TYPE_CHECKING:
    from gitorch.services.past.past_runs import PastRun
    from gitorch.services.past.past_tasks import PastTask
    from gitorch.services.past.task_history import NotedVerdict, TaskHistory


class RunTaskJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a run changed, as the run left it."""

    id: str
    title: str
    state: State
    outcome: str | None
    """How its last attempt ended; null where there was none."""


class PastRunJson(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    started: Timestamp
    ended: Timestamp | None
    """Null while it goes on, and when it was killed."""
    seconds: float | None
    active: bool
    killed: bool
    interrupted: bool
    """Whether a person stopped it."""
    stopped: str | None
    """Why it started no more tasks; null when nothing prevented it."""
    cost: CostJson | None
    """What the attempts that ended in it consumed."""
    tasks: list[RunTaskJson]

    @classmethod
    def of(cls, run: PastRun) -> PastRunJson:
        """Return a run."""
        record = run.record
        return cls(
            started=timestamp(record.started),
            ended=known_time(record.ended),
            seconds=None if run.seconds is None else round(run.seconds, 3),
            active=run.is_active,
            killed=run.was_killed,
            interrupted=record.interrupted,
            stopped=record.stopped or None,
            cost=CostJson.of(record.usage) if record.usage != Usage() else None,
            tasks=[
                RunTaskJson(id=task.id, title=task.title, state=task.state, outcome=task.outcome or None)
                for task in record.tasks
            ],
        )


class RemovedTaskJson(TaskJson, frozen=True, kw_only=True):
    """A task that has left the board, as it was last."""

    removed: Timestamp | None
    """When `cleanup` removed it; null when only notes describe the task."""

    @classmethod
    def of_past(cls, past: PastTask) -> RemovedTaskJson:
        """Return a task that has left the board."""
        return cls(**msgspec.structs.asdict(TaskJson.of(past.task)), removed=known_time(past.removed))


class HistoryAnswer(JsonAnswer, tag="gitorch/history/1", frozen=True, kw_only=True):
    """Earlier runs, and the tasks that have left the board; both latest first."""

    runs: list[PastRunJson]
    tasks: list[RemovedTaskJson]
    has_more: bool = msgspec.field(name="more")
    """Whether there are more than are listed."""

    @classmethod
    def of(cls, runs: Sequence[PastRun], tasks: Sequence[PastTask], *, has_more: bool) -> HistoryAnswer:
        """Return the answer for these runs and tasks."""
        return cls(
            runs=[PastRunJson.of(run) for run in runs],
            tasks=[RemovedTaskJson.of_past(past) for past in tasks],
            has_more=has_more,
        )


class VerdictJson(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's verdict."""

    verdict: str
    """approve, revise or reject; ask for a review with questions only."""
    tip: ObjectId
    """The commit that was reviewed."""
    reviewer: str | None = msgspec.field(name="who")
    time: str | None = msgspec.field(name="when")
    comments: list[CommentJson]

    @classmethod
    def of(cls, verdict: NotedVerdict) -> VerdictJson:
        """Return a verdict."""
        note = verdict.note
        return cls(
            verdict=note.verdict,
            tip=verdict.tip,
            reviewer=note.reviewer or None,
            time=note.time or None,
            comments=[CommentJson.of(comment) for comment in note.comments],
        )


class OwnCommitJson(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of a task."""

    oid: ObjectId
    subject: str | None
    """Null when the repository does not have the commit any more."""
    merged_as: ObjectId | None
    """What it became on the integration branch; null when it was not merged."""


class TaskHistoryAnswer(JsonAnswer, tag="gitorch/history/1", frozen=True, kw_only=True):
    """The answer of `history TASK`: what was asked, done, judged and merged."""

    task: TaskDetailsJson
    on_board: bool
    """False once `cleanup` has removed the task."""
    removed: Timestamp | None
    """When `cleanup` removed it; null on the board, or when only notes describe the task."""
    verdicts: list[VerdictJson]
    """Oldest first."""
    commits: list[OwnCommitJson]
    """Oldest first."""
    refs: dict[str, ObjectId]
    """The refs that hold its branch, its earlier attempts and its rescue points now."""
    logs: str | None
    """The folder of its attempts' output; null when it is gone."""

    @classmethod
    def of(cls, history: TaskHistory) -> TaskHistoryAnswer:
        """Return the answer for one task's history."""
        return cls(
            task=TaskDetailsJson.of(history.task),
            on_board=history.on_board,
            removed=known_time(history.removed),
            verdicts=[VerdictJson.of(verdict) for verdict in history.verdicts],
            commits=[
                OwnCommitJson(oid=commit.oid, subject=commit.subject or None, merged_as=commit.merged_as)
                for commit in history.commits
            ],
            refs={str(ref): oid for ref, oid in history.refs.items()},
            logs=str(history.logs) if history.logs else None,
        )
