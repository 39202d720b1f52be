"""Run an attempt: prepare the room, run the agent in rounds, collect its commits, check them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence

from gitorch.agents.prices import prices_of
from gitorch.config import PriceSettings
from gitorch.executors.base import tail_text
from gitorch.flow.attempt import user_hooks
from gitorch.flow.attempt.answering import put_aside
from gitorch.flow.attempt.checking import check_tip
from gitorch.flow.attempt.commits import record_commits
from gitorch.flow.attempt.environment import AttemptEnv, open_environment
from gitorch.flow.attempt.execution import execute_agent
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
from gitorch.flow.attempt.reading import end_reading
from gitorch.flow.attempt.records import brief_file, stop_reason
from gitorch.flow.attempt.results import clear_results
from gitorch.flow.attempt.start import compose_brief
from gitorch.model import alarms, brief, note
from gitorch.model.outcome import AttemptOutcome, ExitReason, Outcome, Usage
from gitorch.model.redact import redacted
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
from gitorch.rooms.base import Collected, CollectResult, NoChanges, Rejected, RoomError
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.prepare import prepare


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
        env = open_environment(context, task)
        if context.config.run.tell_conflicts:
            context.mailboxes.open(task.id, env.messages, env.room.forward)
        if phase is Phase.PREPARING:
            clear_results(env.messages)
            task = _with_session(_prepare(context, task, env), env)
            _write_brief(env, 1, compose_brief(context, task, checks, dependencies, conflicting))
            task = change_attempt(task, phase=Phase.WORKING)
            yield task
        if current_attempt(task).answers_only:
            yield _answer(context, task, env)
            return
        for changed in _rounds(context, task, env, checks):
            yield from finish_attempt(context, changed)
    except RoomError as error:
        yield from finish_attempt(context, end_stopped_or_failed(context, task, error.reason))
    finally:
        context.mailboxes.close(task.id)


def _prepare(context: RunContext, task: Task, env: AttemptEnv) -> Task:
    """Prepare the room; return the task with the commit that its agent starts on."""
    if env.reads_only and task.conflict is not None:
        raise RoomError(f"the agent {task.spec.agent} may only read: it cannot resolve a conflict")
    task = change_attempt(task, start=env.room.head())
    if task.conflict is not None:
        env.room.checkout_conflict(task.conflict.conflict_commit)
    prepare(context, env.room, env.key)
    if env.reads_only:  # what differs after the attempt is then its agent's
        env.room.discard_uncommitted(f"what [prepare] left before {task.id}, whose agent may only read")
    return task


def _with_session(task: Task, env: AttemptEnv) -> Task:
    """Return a task that begins a session where the one of before cannot be gone on with."""
    if env.room.keeps_sessions or not current_attempt(task).resumed:
        return task
    return change_attempt(task, resumed=False, session=str(uuid.uuid4()), session_usage=None)


def _write_next_brief(env: AttemptEnv, round_number: int, text: str) -> None:
    """Write the brief of a further round; where no session is kept, all that its agent was told before it."""
    if not env.room.keeps_sessions:
        text = f"{brief_file(env.folder, 1).read_text('utf-8')}\n\n{text}"
    _write_brief(env, round_number, text)


def _write_brief(env: AttemptEnv, round_number: int, text: str) -> None:
    brief_file(env.folder, round_number).write_bytes(text.encode())


def _rounds(context: RunContext, task: Task, env: AttemptEnv, checks: Mapping[str, str]) -> Iterator[Task]:
    """Let the agent work, collect its commits, check them; send failing checks back as often as allowed."""
    while True:
        round_number = current_attempt(task).round
        # after a crash, work that was collected is only checked
        if current_attempt(task).phase is Phase.WORKING:
            task = _work(context, task, env)
            if current_attempt(task).phase is Phase.WORKING:
                yield task
                continue
            if current_attempt(task).phase is not Phase.CHECKING:
                yield task
                return
            if checks:
                yield task
        runs = check_tip(context, task, env, checks) if checks else ()
        task = change(task, results=tuple(run.result for run in runs))
        if stop := stop_reason(env.folder):
            yield end_stopped(context, task, stop)
            return
        if task.passed is not False or not _may_fix(context, env, round_number):
            yield end_finished(context, task)
            return
        _write_next_brief(env, round_number + 1, brief.fix_brief(_failed_with_output(context, runs)))
        task = _in_round(task, env, round_number + 1)
        yield task


def _work(context: RunContext, task: Task, env: AttemptEnv) -> Task:
    """Run one round of the agent; return the task with its commits collected, in its next round, or ended."""
    outcome = execute_agent(context, task, env, current_attempt(task).round)
    task = _with_outcome(task, env, outcome)
    if outcome.ending is ExitReason.COMPLETED and not stop_reason(env.folder) and not env.reads_only:
        output = user_hooks.refusal(context, task, env, _message(task))
        if output and not stop_reason(env.folder):
            return _refused_by_hook(context, task, env, outcome, output)
    collected = _collect(task, env, outcome)
    if isinstance(collected, Collected):
        task = record_commits(context, task, env, collected)
    if env.reads_only:
        return end_reading(context, task, env, outcome, collected)
    return _end_early(context, task, env, outcome, collected) or change_attempt(task, phase=Phase.CHECKING)


def _in_round(task: Task, env: AttemptEnv, round_number: int) -> Task:
    """Return a task whose agent works in a further round."""
    task = change_attempt(task, phase=Phase.WORKING, round=round_number)
    if env.room.keeps_sessions:
        return task
    return change_attempt(task, session=str(uuid.uuid4()), session_usage=None)


def _answer(context: RunContext, task: Task, env: AttemptEnv) -> Task:
    """Let the agent answer questions; return the ended task, whose branch is as it was."""
    outcome = execute_agent(context, task, env, current_attempt(task).round)
    summary = current_attempt(task).summary  # the agent's account of its work stays
    task = change_attempt(_with_outcome(task, env, outcome), summary=summary)
    if put_aside(context, task, env, _collect(task, env, outcome)):
        task = change_attempt(task, alarms=(*current_attempt(task).alarms, alarms.PUT_ASIDE))
    if stop := stop_reason(env.folder):
        return end_stopped(context, task, stop)
    if outcome.ending is not ExitReason.COMPLETED:
        return end_incomplete(context, task, outcome)
    return end_questions(context, task, outcome.summary or outcome.question)


def _refused_by_hook(context: RunContext, task: Task, env: AttemptEnv, outcome: Outcome, output: str) -> Task:
    """Send a hook's refusal back to the agent, or end the attempt with what it left in a rescue point."""
    round_number = current_attempt(task).round
    if _may_fix(context, env, round_number):
        _write_next_brief(env, round_number + 1, brief.hook_brief(output))
        return _in_round(task, env, round_number + 1)
    env.room.discard_uncommitted(f"what a hook refused of {task.id}")
    collected = _collect(task, env, outcome)
    if isinstance(collected, Collected):
        task = record_commits(context, task, env, collected)
    return end_refused_by_hook(context, task, output)


def _with_outcome(task: Task, env: AttemptEnv, outcome: Outcome) -> Task:
    """Return the task with the usage and the summary of one more round."""
    attempt = current_attempt(task)
    return change_attempt(
        task,
        session=outcome.session or _known_session(attempt, env),
        ending=outcome.ending,
        summary=redacted(outcome.summary)[: note.LONGEST],
        usage=_total_usage(attempt, outcome, prices_of(env.settings), cumulative=env.agent.usage_is_cumulative),
        session_usage=outcome.usage or attempt.session_usage,
        denials=(*attempt.denials, *outcome.denials),
        alarms=(
            *env.room.refusals(),
            *filter(alarms.is_lasting, attempt.alarms),
            *dict.fromkeys((*filter(alarms.is_command, attempt.alarms), *_commands(outcome))),
            *dict.fromkeys((*filter(alarms.is_left_running, attempt.alarms), *_left_running(outcome))),
        ),
        seconds=elapsed(task),
    )


def _known_session(attempt: Attempt, env: AttemptEnv) -> str:
    """Return the session of an attempt whose last round did not name it; empty if the agent never began one."""
    never_began = env.agent.resumable and attempt.round == 1 and not attempt.resumed
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
    usage = priced(usage, prices) if usage else None
    if usage and attempt.usage:
        return attempt.usage + usage
    return usage or attempt.usage


def _collect(task: Task, env: AttemptEnv, outcome: Outcome) -> CollectResult:
    message = _message(task)
    return env.room.collect(message if outcome.ending is ExitReason.COMPLETED else f"WIP: {message}")


def _message(task: Task) -> str:
    return f"{task.title}\n\nTask: {task.id}\nAgent: {task.spec.agent}\n"


def _end_early(
    context: RunContext, task: Task, env: AttemptEnv, outcome: Outcome, collected: CollectResult
) -> Task | None:
    """Return the ended task if there is nothing to check: the agent did not complete, or its work was rejected."""
    if stop := stop_reason(env.folder):
        return end_stopped(context, task, stop)
    if outcome.ending is not ExitReason.COMPLETED:
        return end_incomplete(context, task, outcome)
    if isinstance(collected, NoChanges) or (isinstance(collected, Collected) and _added_nothing(task, collected)):
        return end_unchanged(context, task, outcome)
    if isinstance(collected, Rejected):
        return end_failed(context, task, AttemptOutcome.REFUSED, collected.reason)
    if marked := _unsolved_files(context, task):
        reason = f"conflict markers are left in {', '.join(marked)}"
        return end_failed(context, task, AttemptOutcome.REFUSED, reason)
    return None


def _added_nothing(task: Task, collected: Collected) -> bool:
    """Return whether an attempt did not change its branch, unless it may have found its work already done there."""
    attempt = current_attempt(task)
    may_be_done = attempt.resumed or attempt.continued or attempt.round > 1
    return collected.tip == attempt.start and not may_be_done


def _unsolved_files(context: RunContext, task: Task) -> list[str]:
    """Return the files in which the tip still has markers of the conflict that the attempt was to resolve."""
    if task.conflict is None or task.tip is None:
        return []
    return conflict_commit.unsolved_files(context.repository, task.conflict.conflict_commit, task.tip)


def _may_fix(context: RunContext, env: AttemptEnv, round_number: int) -> bool:
    return env.agent.resumable and round_number <= context.config.run.fix_checks


def _failed_with_output(context: RunContext, runs: Sequence[CheckRun]) -> list[tuple[CheckResult, str]]:
    failed = [run for run in runs if not run.result.passed]
    return [(run.result, run.failure or run.tail or _output_end(context, run)) for run in failed]


def _output_end(context: RunContext, run: CheckRun) -> str:
    return tail_text(context.executor, run.execution, "stdout")
