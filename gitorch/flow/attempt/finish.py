"""The end of an attempt: the state of its task, and the note on its branch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gitorch.errors import GitorchError, SetupNeeded
from gitorch.flow.attempt import briefing
from gitorch.flow.attempt.answering import answered_questions, unanswered
from gitorch.flow.attempt.limit_wait import retry_time, wake_time
from gitorch.flow.attempt.opened_attempt import room_spec
from gitorch.flow.attempt.records import INTERRUPTED, attempt_folder, brief_file, stop_reason
from gitorch.flow.attempt.start import was_cut_off
from gitorch.git.diff.file_changes import line_counts
from gitorch.git.worktree_list import find as find_worktree
from gitorch.git.worktrees.ignored_writes import ignored_since
from gitorch.model import handoff, note, questions
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import AttemptOutcome, ExitReason, Outcome, outcome_of
from gitorch.model.task import (
    Comment,
    Commits,
    ConflictRetry,
    Phase,
    ReasonKind,
    State,
    Task,
    after_questions,
    change,
    change_attempt,
    commit_range,
    current_attempt,
)
from gitorch.model.visible import first_names, readable, visible
from gitorch.rooms.context import RunContext

_HOOK_LINES = 5


def finish_attempt(context: RunContext, task: Task) -> Iterator[Task]:
    """Yield a task after its attempt; if the attempt failed to resolve a conflict, then yield it in conflict again."""
    if task.state is not State.FAILED or task.conflict is None:
        yield task
        return
    # make the end of the attempt durable before its branch goes back: that can be repeated after a crash
    yield msgspec.structs.replace(task, state=State.RUNNING)
    yield return_to_conflict(context, task, task.conflict)


def return_to_conflict(context: RunContext, task: Task, before: ConflictRetry) -> Task:
    """Return a task and its branch to the conflict before an attempt to resolve it; the attempt's commits are kept."""
    context.rooms.give_up(room_spec(context, task), before.tip)
    return msgspec.structs.replace(
        task,
        state=State.CONFLICTED,
        reason=f"{before.reason}; attempt {task.attempts} did not resolve it: {task.full_reason}",
        commits=Commits(before.base, before.tip),
        results=before.results,
        conflict=None,
        failed_conflict_id=before.conflict_id,
        retried=0,
        wake=None,
    )


def fail(context: RunContext, task: Task, error: GitorchError) -> Task:
    """Return a running task as failed by an error in its attempt.

    If the attempt was to resolve a conflict, the task is in conflict again; if that fails, the next run retries it.
    """
    cause = f": {error.why}" if error.why else ""
    outcome = AttemptOutcome.SETUP if isinstance(error, SetupNeeded) else AttemptOutcome.CRASHED
    ended = change_attempt(task, outcome=outcome) if task.attempt else task
    failed = change(ended, state=State.FAILED, reason=redacted(f"{error.what}{cause}"))
    if failed.before_questions and ended.attempt and ended.attempt.answers_only:
        return after_questions(failed, _no_answer(failed, failed.full_reason))
    if failed.conflict is None:
        return failed
    try:
        return return_to_conflict(context, failed, failed.conflict)
    except GitorchError:
        return failed


def end_incomplete(context: RunContext, task: Task, outcome: Outcome) -> Task:
    """End an attempt whose agent did not complete: waiting, queued again, or failed, depending on the cause."""
    reason = redacted(outcome.reason) or str(outcome.ending)
    result = outcome_of(outcome.ending)
    if outcome.ending is ExitReason.LIMITED:
        wake = wake_time(outcome, task.past, datetime.now(UTC))
        return _end(context, task, result, state=State.WAITING, reason=_goes_on(reason, wake), wake=wake)
    if outcome.ending in _FAULTS:
        text = f"{task.spec.agent} {_FAULTS[outcome.ending]}: {reason}"
        return _end(context, task, result, state=State.QUEUED, reason=text)
    if outcome.ending is ExitReason.NO_SESSION:
        task = change_attempt(task, session="")  # the next attempt starts afresh
        return _end(context, task, result, state=State.QUEUED, reason="its session is gone; starts afresh")
    crashed = outcome.ending in (ExitReason.TRANSIENT, ExitReason.LOST)
    if crashed and task.retried < context.config.run.retries:
        text = f"retrying after: {reason}"
        return _end(context, task, result, state=State.QUEUED, reason=text, retried=task.retried + 1)
    waited = task.retried - context.config.run.retries
    if outcome.ending is ExitReason.TRANSIENT and context.config.run.retries and waited < _OUTAGE_WAITS:
        wake = retry_time(waited, datetime.now(UTC))
        fields = {"reason": _goes_on(reason, wake), "wake": wake, "retried": task.retried + 1}
        return _end(context, task, result, state=State.WAITING, **fields)
    return end_failed(context, task, result, reason)


_FAULTS = {
    ExitReason.UNAUTHENTICATED: "is not logged in, or has no credits",
    ExitReason.SETUP: "cannot work as it is set up",
}
"""Faults that every attempt of an agent would meet: its tasks stay queued."""


_OUTAGE_WAITS = 8
"""How often a task waits for a service that does not answer before it fails: for five and a half hours."""


def _goes_on(reason: str, wake: datetime) -> str:
    return f"{reason}; goes on at {wake:%Y-%m-%d %H:%M} UTC"


def end_stopped_or_failed(context: RunContext, task: Task, reason: str) -> Task:
    """End an attempt that cannot continue: as stopped if it was asked to stop, else as failed."""
    stop = stop_reason(attempt_folder(context.folder, task))
    return end_stopped(context, task, stop) if stop else end_failed(context, task, AttemptOutcome.CRASHED, reason)


def end_stopped(context: RunContext, task: Task, stop: str) -> Task:
    """End an attempt that was asked to stop: an interrupted one continues with the next run."""
    if stop.partition(":")[0] == INTERRUPTED:  # a reason may follow
        reason = f"{stop}; its work is on its branch" if task.tip else stop
        return _end(context, task, AttemptOutcome.CANCELLED, state=State.QUEUED, reason=reason)
    return _end(context, task, AttemptOutcome.CANCELLED, state=State.CANCELLED, reason=stop)


def end_failed(context: RunContext, task: Task, outcome: AttemptOutcome, reason: str) -> Task:
    """End an attempt that failed."""
    return _end(context, task, outcome, state=State.FAILED, reason=reason)


def end_unchanged(context: RunContext, task: Task, outcome: Outcome) -> Task:
    """End a completed attempt that changed nothing: it asked a question, was denied a tool, or found nothing to do."""
    if question := outcome.question or questions.at_end_of(outcome.summary):
        state = State.WAITING if task.conflict is None else State.FAILED
        asked = {"reason": redacted(question)[: note.LONGEST], "reason_kind": ReasonKind.ASKED}
        return _end(context, task, AttemptOutcome.ASKED, state=state, wake=None, **asked)
    if outcome.denials:
        reason = f"no changes; denied: {redacted(', '.join(outcome.denials))}"
        return end_failed(context, task, AttemptOutcome.REFUSED, reason)
    ignored = first_names([visible(readable(path)) for path in _ignored_writes(context, task)])
    reason = f"no changes; git ignores what it wrote: {redacted(ignored)}" if ignored else "no changes"
    return end_failed(context, task, AttemptOutcome.NO_CHANGES, reason)


def _ignored_writes(context: RunContext, task: Task) -> list[str]:
    """Return the ignored paths in a task's worktree that changed since its agent was briefed; none if it is gone."""
    worktree = find_worktree(context.repository, Path(task.worktree))
    try:
        briefed = brief_file(attempt_folder(context.folder, task), 1).stat().st_mtime_ns
    except FileNotFoundError:
        return []
    return ignored_since(context.repository, worktree, briefed) if worktree else []


def end_answered(context: RunContext, task: Task, outcome: Outcome) -> Task:
    """End a completed attempt of an agent that may only read: its last message is the result."""
    lines = handoff.read(outcome.summary).done.strip().splitlines()
    if not lines:
        return end_failed(context, task, AttemptOutcome.NO_CHANGES, "it may only read, and ended without an answer")
    answer = {"reason": lines[0][: note.LONGEST], "reason_kind": ReasonKind.ANSWERED}
    return _end(context, task, AttemptOutcome.ANSWERED, state=State.WAITING, wake=None, **answer)


def end_refused_by_hook(context: RunContext, task: Task, output: str) -> Task:
    """End an attempt whose work a hook of the repository refused to commit; it is in a rescue point."""
    lines = [line.strip() for line in redacted(output).splitlines() if line.strip()]
    reason = f"hook refused: {'; '.join(lines[-_HOOK_LINES:])[: note.LONGEST]}"
    return end_failed(context, task, AttemptOutcome.HOOK_REFUSED, f"{reason} (see: orchestrate rescue list)")


def end_finished(context: RunContext, task: Task) -> Task:
    """End a completed attempt; its checks may have passed or failed."""
    failed = [result.name for result in task.results if not result.passed]
    reason = f"checks failed: {', '.join(failed)}" if failed else ""
    attempt = current_attempt(task)
    answered = answered_questions(task.comments, attempt.summary, is_only=False)
    fields = {"comments": unanswered(task.comments, answered), "answered": answered, "retried": 0, "conflict": None}
    return _end(context, task, AttemptOutcome.FINISHED, state=State.FINISHED, reason=reason, **fields)


def end_questions(context: RunContext, task: Task, message: str) -> Task:
    """End a completed attempt that was to answer questions: the task is what it was before, with the answers.

    Questions without an answer wait with its comments.
    """
    answered = answered_questions(task.comments, message, is_only=True)
    left = unanswered(task.comments, answered)
    if not answered:
        return _end(
            context, task, AttemptOutcome.UNANSWERED, state=State.FAILED, reason="it gave no answer", answered=()
        )
    numbers = [str(number) for number, comment in enumerate(task.comments, start=1) if comment in left]
    trouble = f"attempt {task.attempts} did not answer question {', '.join(numbers)}" if numbers else ""
    ended = change(task, state=State.FINISHED, comments=left, answered=answered)
    return _end(context, after_questions(ended, trouble), AttemptOutcome.ANSWERED)


def _no_answer(task: Task, reason: str) -> str:
    return f"attempt {task.attempts} did not answer your questions: {reason}"


def _end(context: RunContext, task: Task, outcome: AttemptOutcome, **fields: Any) -> Task:
    last = current_attempt(task)
    tip = last.tip if last.answers_only else task.tip
    task = change(change_attempt(task, phase=Phase.ENDED, outcome=outcome, seconds=elapsed(task), tip=tip), **fields)
    if task.before_questions and last.answers_only and task.state in (State.FAILED, State.CANCELLED):
        task = after_questions(task, _no_answer(task, task.full_reason))
    # an agent that was cut off may not have had the answer
    if task.state is not State.QUEUED and task.wake is None and not was_cut_off(last):
        task = msgspec.structs.replace(task, answer="")
    if (tip := task.tip) is not None:
        task = _with_diff_lines(context, task)
        files = briefing.changed_files(context.repository, task)
        lines = [
            note.attempt_line(task, files, _answers_of(task)),
            *(note.check_line(result) for result in task.results),
        ]
        # write the note before the task's state: after a crash in between, it is not written twice
        context.notes.append(tip, lines)
    return task


def _answers_of(task: Task) -> tuple[Comment, ...]:
    """Return the questions that the last attempt has answered."""
    is_answer = current_attempt(task).outcome in (AttemptOutcome.FINISHED, AttemptOutcome.ANSWERED)
    return task.answered if is_answer else ()


def _with_diff_lines(context: RunContext, task: Task) -> Task:
    """Return a rival with the size of its diff, which decides among rivals; other tasks as they are."""
    if task.spec.rival is None:
        return task
    pair = commit_range(task)
    counts = line_counts(context.repository, [pair]).get(pair)
    return change_attempt(task, diff_lines=sum(counts)) if counts else task


def elapsed(task: Task) -> float | None:
    """Return the seconds since the task's attempt started; None if its start is unknown."""
    started = current_attempt(task).started
    return round((datetime.now(UTC) - started).total_seconds(), 3) if started else None
