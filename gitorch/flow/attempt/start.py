"""The start of an attempt: the task with a new attempt, in the last session or a new one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec

from gitorch.model import alarms
from gitorch.model.naming import Oid
from gitorch.model.outcome import ExitReason
from gitorch.model.task import Attempt, Commits, PastAttempt, State, Task, change
from gitorch.rooms.context import RunContext
from gitorch.rooms.paths import worktree_path

_CUT_OFF = (
    ExitReason.LIMITED,
    ExitReason.TRANSIENT,
    ExitReason.LOST,
    ExitReason.STOPPED,
    ExitReason.TIMED_OUT,
    ExitReason.STALLED,
    ExitReason.EXHAUSTED,
)


def start(context: RunContext, task: Task, base: Oid) -> Task:
    """Return the task with a new attempt that starts on `base`, or on its branch if that has earlier work.

    The branch of an adopted task does not move: the attempt continues from its tip on a branch of gitorch.
    """
    commits = task.commits if task.commits and task.commits.tip else Commits(base)
    number = task.attempts + 1
    new = Attempt(
        number=number, agent=task.spec.agent, base=commits.base, session=str(uuid.uuid4()), started=datetime.now(UTC)
    )
    last = task.attempt
    if last is not None and _continues_session(context, task, last):
        new = msgspec.structs.replace(new, session=last.session, resumed=True, session_usage=last.session_usage)
    if last is not None and commits.tip is not None:  # its commits are still there
        new = msgspec.structs.replace(new, alarms=tuple(filter(alarms.is_lasting, last.alarms)))
    if last is not None and commits.tip is not None and _is_unfinished(last) and not task.comments:
        new = msgspec.structs.replace(new, continued=True)
    answers_only = _is_asked_only(task)
    if answers_only:
        summary = last.summary if last else ""
        tip = last.tip if last else commits.tip
        new = msgspec.structs.replace(new, answers_only=True, summary=summary, tip=tip)
    return change(
        task,
        state=State.RUNNING,
        reason="",
        stale=task.stale and commits.tip is not None,
        branch=context.config.branch_of(task.id),
        worktree=str(worktree_path(context.repository, context.config, task.id)),
        commits=commits,
        results=task.results if answers_only else (),
        before_questions=task.before_questions if answers_only else None,
        restack=task.restack if answers_only else None,
        wake=None,
        attempts=number,
        attempt=new,
        past=(*task.past, PastAttempt.of(last)) if last else task.past,
        adopted=False,
    )


def _continues_session(context: RunContext, task: Task, last: Attempt) -> bool:
    """Return whether the next attempt resumes the last session.

    That is so if the user answered in it, if a reviewer sent its work back, or if it was interrupted.
    """
    if last.agent != task.spec.agent or task.commits is None or not last.session:
        return False
    is_wanted = task.answer or task.comments or was_cut_off(last)
    return bool(is_wanted) and context.agents[context.config.agents[task.spec.agent].kind].resumable


def _is_asked_only(task: Task) -> bool:
    """Return whether the next attempt only answers questions about the branch."""
    if task.before_questions is None or task.tip is None or task.answer or not task.comments:
        return False
    return all(comment.is_question for comment in task.comments)


def _is_unfinished(attempt: Attempt) -> bool:
    """Return whether what an attempt left on the branch is work that nobody has judged yet."""
    has_no_turn = attempt.ending in (ExitReason.NO_SESSION, ExitReason.UNAUTHENTICATED, ExitReason.SETUP)
    return was_cut_off(attempt) or (has_no_turn and (attempt.continued or bool(attempt.summary)))


def was_cut_off(attempt: Attempt) -> bool:
    """Return whether an attempt ended before its agent said that it was done."""
    return attempt.ending in _CUT_OFF
