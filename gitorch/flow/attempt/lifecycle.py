"""Run an attempt: prepare the room, run the agent in rounds, collect its commits, check them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence

from gitorch import regular_files
from gitorch.agents.prices import prices_of
from gitorch.config import PriceSettings
from gitorch.executors.protocol import tail_text
from gitorch.executors.resource_watch import disk_usage
from gitorch.flow.attempt import user_hooks
from gitorch.flow.attempt.answering import answered_questions, put_aside
from gitorch.flow.attempt.attempt_executions import execute_agent
from gitorch.flow.attempt.briefing import compose_brief
from gitorch.flow.attempt.checking import check_tip
from gitorch.flow.attempt.commits import own_message, record_commits
from gitorch.flow.attempt.finish import (
    elapsed,
    end_failed,
    end_finished,
    end_incomplete,
    end_questions,
    end_refused_by_hook,
    end_stopped,
    end_stopped_or_failed,
    end_unchanged,
    finish_attempt,
    return_to_conflict,
)
from gitorch.flow.attempt.metering import priced
from gitorch.flow.attempt.opened_attempt import OpenedAttempt, open_attempt
from gitorch.flow.attempt.reading import end_reading
from gitorch.flow.attempt.records import brief_file, stop_reason
from gitorch.flow.attempt.results import clear_results
from gitorch.model import alarms, brief, note
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import AttemptOutcome, ExitReason, Outcome, Usage, without_negatives
from gitorch.model.review.answers import read_answers
from gitorch.model.task import (
    Attempt,
    CheckResult,
    Phase,
    Task,
    change,
    change_attempt,
    current_attempt,
)
from gitorch.model.visible import visible
from gitorch.replay import conflict_commit
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.prepare import prepare
from gitorch.rooms.protocol import Collected, CollectResult, NoChanges, Rejected, RoomError

_DISK_SECONDS = 0.5
"""The longest look at the files of a room, and of its worktree."""


def run(
    context: RunContext,
    task: Task,
    checks: Mapping[str, str],
    dependencies: Sequence[Task] = (),
    conflicting: Sequence[Task] = (),
) -> Iterator[Task]:
    """Run a running task's attempt to its end, from any phase; yield the task each time that it changed.

    `checks` are the check commands, `dependencies` all tasks that it builds on, nearest first, and `conflicting` those
    that it conflicts with. The task ends as finished, failed, waiting, cancelled, queued again, or in conflict.
    """
    phase = current_attempt(task).phase
    if phase is Phase.ENDED and task.conflict is not None:
        yield return_to_conflict(context, task, task.conflict)
        return
    try:
        opened = open_attempt(context, task)
        if context.config.run.tell_conflicts:
            context.mailboxes.open(task.id, opened.messages, opened.room.forward)
        if phase is Phase.PREPARING:
            clear_results(opened.messages)
            task = _with_session(_prepare(context, task, opened), opened)
            _write_brief(opened, 1, compose_brief(context, task, checks, dependencies, conflicting))
            task = change_attempt(task, phase=Phase.WORKING)
            yield task
        if current_attempt(task).answers_only:
            yield _answer(context, task, opened)
            return
        for changed in _rounds(context, task, opened, checks):
            yield from finish_attempt(context, changed)
    except RoomError as error:
        yield from finish_attempt(context, end_stopped_or_failed(context, task, error.reason))
    finally:
        context.mailboxes.close(task.id)


def _prepare(context: RunContext, task: Task, opened: OpenedAttempt) -> Task:
    """Prepare the room; return the task with the commit that its agent starts on."""
    if opened.reads_only and task.conflict is not None:
        raise RoomError(f"the agent {task.spec.agent} may only read: it cannot resolve a conflict")
    task = change_attempt(task, start=opened.room.head())
    if task.conflict is not None:
        opened.room.checkout_conflict(task.conflict.conflict_commit)
    prepare(context, opened.room, opened.key)
    if opened.reads_only:  # what differs after the attempt is then its agent's
        opened.room.discard_uncommitted(f"what [prepare] left before {task.id}, whose agent may only read")
    return task


def _with_session(task: Task, opened: OpenedAttempt) -> Task:
    """Return a task that begins a session where the one of before cannot be gone on with."""
    if opened.room.keeps_sessions or not current_attempt(task).resumed:
        return task
    return change_attempt(task, resumed=False, session=str(uuid.uuid4()), session_usage=None)


def _write_next_brief(opened: OpenedAttempt, round_number: int, text: str) -> None:
    """Write the brief of a further round; where no session is kept, all that its agent was told before it."""
    if not opened.room.keeps_sessions:
        text = f"{regular_files.read(brief_file(opened.folder, 1)).decode()}\n\n{text}"
    _write_brief(opened, round_number, text)


def _write_brief(opened: OpenedAttempt, round_number: int, text: str) -> None:
    brief_file(opened.folder, round_number).write_bytes(text.encode())


def _rounds(context: RunContext, task: Task, opened: OpenedAttempt, checks: Mapping[str, str]) -> Iterator[Task]:
    """Let the agent work, collect its commits, check them; send failing checks back as often as allowed."""
    while True:
        round_number = current_attempt(task).round
        # after a crash, work that was collected is only checked
        if current_attempt(task).phase is Phase.WORKING:
            task = _work(context, task, opened)
            if current_attempt(task).phase is Phase.WORKING:
                yield task
                continue
            if current_attempt(task).phase is not Phase.CHECKING:
                yield task
                return
            if checks:
                yield task
        runs = check_tip(context, task, opened, checks) if checks else ()
        task = change(task, results=tuple(run.result for run in runs))
        if stop := stop_reason(opened.folder):
            yield end_stopped(context, task, stop)
            return
        if task.passed is not False or not _may_fix(context, opened, round_number):
            yield end_finished(context, task)
            return
        _write_next_brief(opened, round_number + 1, brief.fix_brief(_failed_with_output(context, runs)))
        task = _in_round(task, opened, round_number + 1)
        yield task


def _work(context: RunContext, task: Task, opened: OpenedAttempt) -> Task:
    """Run one round of the agent; return the task with its commits collected, in its next round, or ended."""
    outcome = execute_agent(context, task, opened, current_attempt(task).round)
    task = _with_outcome(context, task, opened, outcome)
    if outcome.ending is ExitReason.COMPLETED and not stop_reason(opened.folder) and not opened.reads_only:
        output = user_hooks.refusal(context, task, opened, own_message(task))
        if output and not stop_reason(opened.folder):
            return _refused_by_hook(context, task, opened, outcome, output)
    collected = _collect(task, opened, outcome)
    if isinstance(collected, Collected):
        task = record_commits(context, task, opened, collected)
    if opened.reads_only:
        return end_reading(context, task, opened, outcome, collected)
    return _end_early(context, task, opened, outcome, collected) or change_attempt(task, phase=Phase.CHECKING)


def _in_round(task: Task, opened: OpenedAttempt, round_number: int) -> Task:
    """Return a task whose agent works in a further round."""
    task = change_attempt(task, phase=Phase.WORKING, round=round_number)
    if opened.room.keeps_sessions:
        return task
    return change_attempt(task, session=str(uuid.uuid4()), session_usage=None)


def _answer(context: RunContext, task: Task, opened: OpenedAttempt) -> Task:
    """Let the agent answer questions; return the ended task, whose branch is as it was."""
    outcome = execute_agent(context, task, opened, current_attempt(task).round)
    summary = current_attempt(task).summary  # the agent's account of its work stays
    task = change_attempt(_with_outcome(context, task, opened, outcome), summary=summary)
    if put_aside(context, task, opened, _collect(task, opened, outcome)):
        task = change_attempt(task, alarms=(*current_attempt(task).alarms, alarms.PUT_ASIDE))
    if stop := stop_reason(opened.folder):
        return end_stopped(context, task, stop)
    if outcome.ending is not ExitReason.COMPLETED:
        return end_incomplete(context, task, outcome)
    return end_questions(context, task, outcome.summary or outcome.question)


def _refused_by_hook(context: RunContext, task: Task, opened: OpenedAttempt, outcome: Outcome, output: str) -> Task:
    """Send a hook's refusal back to the agent, or end the attempt with what it left in a rescue point."""
    round_number = current_attempt(task).round
    if _may_fix(context, opened, round_number):
        _write_next_brief(opened, round_number + 1, brief.hook_brief(output))
        return _in_round(task, opened, round_number + 1)
    opened.room.discard_uncommitted(f"what a hook refused of {task.id}")
    collected = _collect(task, opened, outcome)
    if isinstance(collected, Collected):
        task = record_commits(context, task, opened, collected)
    return end_refused_by_hook(context, task, output)


def _with_outcome(context: RunContext, task: Task, opened: OpenedAttempt, outcome: Outcome) -> Task:
    """Return the task with the usage and the summary of one more round."""
    attempt = current_attempt(task)
    return change_attempt(
        task,
        session=outcome.session or _known_session(attempt, opened),
        ending=outcome.ending,
        summary=redacted(outcome.summary)[: note.LONGEST],
        usage=_total_usage(attempt, outcome, prices_of(opened.settings), cumulative=opened.agent.usage_is_cumulative),
        session_usage=outcome.usage or attempt.session_usage,
        denials=(*attempt.denials, *outcome.denials),
        alarms=(
            *map(redacted, opened.room.refusals()),
            *filter(alarms.is_lasting, attempt.alarms),
            *dict.fromkeys((*filter(alarms.is_command, attempt.alarms), *_commands(outcome))),
            *dict.fromkeys((*filter(alarms.is_left_running, attempt.alarms), *_left_running(outcome))),
        ),
        seconds=elapsed(task),
        disk=_disk_usage(context, task),
    )


def _disk_usage(context: RunContext, task: Task) -> int | None:
    """Return what the worktree and the room take on the disk; None if that takes too long to find out."""
    folders = (task.worktree, os.fspath(context.folder / "rooms" / task.id))
    sizes = [disk_usage(folder, _DISK_SECONDS) for folder in folders]
    return None if None in sizes else sum(filter(None, sizes))


def _known_session(attempt: Attempt, opened: OpenedAttempt) -> str:
    """Return the session of an attempt whose last round did not name it; empty if the agent never began one."""
    never_began = opened.agent.resumable and attempt.round == 1 and not attempt.resumed
    return "" if never_began else attempt.session


def _commands(outcome: Outcome) -> list[str]:
    return [alarms.command(redacted(visible(text))) for text in outcome.commands]


def _left_running(outcome: Outcome) -> list[str]:
    return [alarms.left_running(outcome.leftover)] if outcome.leftover else []


def _total_usage(attempt: Attempt, outcome: Outcome, prices: PriceSettings | None, *, cumulative: bool) -> Usage | None:
    """Return the usage of an attempt with one more round; `cumulative` usage counts the whole session.

    What a log says call by call counts instead: the total of a session lacks what was interrupted.

    The user's prices, if there are any, replace what the agent says about its cost.
    """
    usage = outcome.calls or outcome.usage
    if usage and not outcome.calls and cumulative and attempt.session_usage:
        usage = usage - attempt.session_usage
    usage = without_negatives(priced(usage, prices)) if usage else None
    if usage and attempt.usage:
        return attempt.usage + usage
    return usage or attempt.usage


def _collect(task: Task, opened: OpenedAttempt, outcome: Outcome) -> CollectResult:
    return opened.room.collect(own_message(task, is_unfinished=outcome.ending is not ExitReason.COMPLETED))


def _end_early(
    context: RunContext, task: Task, opened: OpenedAttempt, outcome: Outcome, collected: CollectResult
) -> Task | None:
    """Return the ended task if there is nothing to check: the agent did not complete, or its work was rejected."""
    if stop := stop_reason(opened.folder):
        return end_stopped(context, _with_rejection(task, collected), stop)
    if outcome.ending is not ExitReason.COMPLETED:
        return end_incomplete(context, _with_rejection(task, collected), outcome)
    if isinstance(collected, NoChanges) or (isinstance(collected, Collected) and _added_nothing(task, collected)):
        return end_unchanged(context, task, outcome)
    if isinstance(collected, Rejected):
        return end_failed(context, task, AttemptOutcome.REFUSED, collected.reason)
    if marked := _unsolved_files(context, task):
        reason = f"conflict markers are left in {', '.join(marked)}"
        return end_failed(context, task, AttemptOutcome.REFUSED, reason)
    return None


def _with_rejection(task: Task, collected: CollectResult) -> Task:
    """Return a task that says why its work was not taken, and where it is, besides how its attempt ended."""
    if not isinstance(collected, Rejected):
        return task
    return change_attempt(task, alarms=(*current_attempt(task).alarms, alarms.not_taken(collected.reason)))


def _added_nothing(task: Task, collected: Collected) -> bool:
    """Return whether an attempt did not change its branch, unless it may have found its work already done there.

    Work that a reviewer sent back is not done: the attempt changes it, or answers at least one comment.
    """
    attempt = current_attempt(task)
    may_be_done = attempt.resumed or attempt.continued or attempt.round > 1
    return collected.tip == attempt.start and (not may_be_done or _ignores_comments(task, attempt.summary))


def _ignores_comments(task: Task, summary: str) -> bool:
    was_complete = bool(task.past) and task.past[-1].outcome == AttemptOutcome.FINISHED
    sent_back = was_complete and task.conflict is None and bool(task.comments)
    return sent_back and not read_answers(summary) and not answered_questions(task.comments, summary, is_only=False)


def _unsolved_files(context: RunContext, task: Task) -> list[str]:
    """Return the files in which the tip still has markers of the conflict that the attempt was to resolve."""
    if task.conflict is None or task.tip is None:
        return []
    return conflict_commit.unsolved_files(context.repository, task.conflict.conflict_commit, task.tip)


def _may_fix(context: RunContext, opened: OpenedAttempt, round_number: int) -> bool:
    return opened.agent.resumable and round_number <= context.config.run.fix_checks


def _failed_with_output(context: RunContext, runs: Sequence[CheckRun]) -> list[tuple[CheckResult, str]]:
    failed = [run for run in runs if not run.result.passed]
    return [(run.result, run.failure or run.tail or _output_end(context, run)) for run in failed]


def _output_end(context: RunContext, run: CheckRun) -> str:
    return tail_text(context.executor, run.execution, "stdout")
