"""How an attempt ends: what becomes of its task, and the note that tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gitorch.errors import GitorchError
from gitorch.flow.attempt import briefing
from gitorch.flow.attempt.environment import attempt_folder
from gitorch.flow.attempt.execution import INTERRUPTED, stop_reason
from gitorch.git import worktrees
from gitorch.model import note
from gitorch.model.outcome import Ending, Outcome
from gitorch.model.redact import redacted
from gitorch.model.task import Commits, ConflictRetry, Phase, State, Task, change, change_attempt, current_attempt
from gitorch.replay import conflict_commit
from gitorch.rooms.environment import Means


def settled(means: Means, task: Task) -> Iterator[Task]:
    """Yield a task as an attempt leaves it; where a conflict was to be solved and is not, in conflict as before."""
    if task.state is not State.FAILED or task.conflict is None:
        yield task
        return
    # how it ended is durable before its traces go: what comes after can be done again
    yield msgspec.structs.replace(task, state=State.RUNNING)
    yield in_conflict_again(means, task, task.conflict)


def in_conflict_again(means: Means, task: Task, before: ConflictRetry) -> Task:
    """Return a task as it was before an attempt to solve its conflict, with its branch, and what that attempt did."""
    place = worktrees.find(means.repository, Path(task.worktree))
    conflict_commit.give_up(means.repository, place, task.id, task.attempts, task.branch, before.tip)
    return msgspec.structs.replace(
        task,
        state=State.CONFLICTED,
        reason=f"{before.reason}; attempt {task.attempts} did not solve it: {task.reason}",
        commits=Commits(before.base, before.tip),
        results=before.results,
        conflict=None,
        failed_conflict_id=before.conflict_id,
        retried=0,
        wake=None,
    )


def failed_by(means: Means, task: Task, error: GitorchError) -> Task:
    """Return a running task as failed by an error that its attempt met.

    Where it was to solve a conflict, the task is in conflict again; where that fails, too, the next run sees to it.
    """
    why = f": {error.why}" if error.why else ""
    failed = change(task, state=State.FAILED, reason=redacted(f"{error.what}{why}"))
    if failed.conflict is None:
        return failed
    try:
        return in_conflict_again(means, failed, failed.conflict)
    except GitorchError:
        return failed


def end_incomplete(means: Means, task: Task, outcome: Outcome) -> Task:
    """End an attempt whose agent did not complete: waiting, queued again, or failed, as the cause allows."""
    reason = redacted(outcome.reason) or str(outcome.ending)
    if outcome.ending is Ending.LIMITED and means.config.run.rate_limits == "wait":
        wake = datetime.fromtimestamp(outcome.resets_at, UTC) if outcome.resets_at else _later(task)
        said = f"{reason}; goes on at {wake:%Y-%m-%d %H:%M} UTC"
        return _end(means, task, state=State.WAITING, reason=said, wake=wake)
    if outcome.ending is Ending.UNAUTHENTICATED:
        return _end(means, task, state=State.QUEUED, reason=f"{task.spec.agent} is not logged in: {reason}")
    crashed = outcome.ending in (Ending.TRANSIENT, Ending.LOST)
    if crashed and task.retried < means.config.run.retries:
        return _end(means, task, state=State.QUEUED, reason=f"again after: {reason}", retried=task.retried + 1)
    return end_failed(means, task, reason)


def _later(task: Task) -> datetime:
    """Return when to ask again where a limit's end is not told: after 5 minutes, then 10, 20, at most an hour."""
    return datetime.now(UTC) + timedelta(minutes=min(60, 5 * 2 ** max(0, task.attempts - 1)))


def stopped_or(means: Means, task: Task, reason: str) -> Task:
    """End an attempt that something kept from going on: as it was asked to stop, else as failed."""
    stop = stop_reason(attempt_folder(means.folder, task))
    return end_stopped(means, task, stop) if stop else end_failed(means, task, reason)


def end_stopped(means: Means, task: Task, stop: str) -> Task:
    """End an attempt that was asked to stop: an interrupted one goes on with the next run."""
    if stop == INTERRUPTED:
        return _end(means, task, state=State.QUEUED, reason="interrupted; its work is on its branch")
    return _end(means, task, state=State.CANCELLED, reason=stop)


def end_failed(means: Means, task: Task, reason: str) -> Task:
    """End an attempt that failed."""
    return _end(means, task, state=State.FAILED, reason=reason)


def finish(means: Means, task: Task) -> Task:
    """End an attempt that is done, whatever its checks said."""
    failed = [result.name for result in task.results if not result.passed]
    reason = f"checks failed: {', '.join(failed)}" if failed else ""
    return _end(means, task, state=State.FINISHED, reason=reason, comments=(), retried=0, conflict=None)


def _end(means: Means, task: Task, **fields: Any) -> Task:
    task = change(change_attempt(task, phase=Phase.ENDED, seconds=elapsed(task)), **fields)
    if task.tip is not None:
        files = briefing.changed_files(means.repository, task)
        lines = [note.attempt_line(task, files), *(note.check_line(result) for result in task.results)]
        # the note comes first, then the task's state: a crash between the two notes it once
        means.notebook.append(task.tip, lines)
    return task


def elapsed(task: Task) -> float | None:
    """Return the seconds since the task's attempt started; None where its start is not known."""
    started = current_attempt(task).started
    return round((datetime.now(UTC) - started).total_seconds(), 3) if started else None
