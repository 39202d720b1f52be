"""Run the executions of an attempt (agent and checks), and stop them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch import regular_files
from gitorch.agents import CALL_LOGS
from gitorch.agents.declared import declared_outcome
from gitorch.agents.protocol import Request
from gitorch.config import seconds, size
from gitorch.executors.protocol import STDIN_FILE, NotStarted, Spec, tail_text
from gitorch.executors.starting import wait_for_end
from gitorch.flow.attempt.call_log import CallLogReader
from gitorch.flow.attempt.event_log import write_events
from gitorch.flow.attempt.events import execution_events
from gitorch.flow.attempt.metering import Meter, logged_usage, metered_usage
from gitorch.flow.attempt.opened_attempt import OpenedAttempt
from gitorch.flow.attempt.records import attempt_folder, attempt_key, brief_file, record_stop, stop_reason
from gitorch.flow.attempt.results import read_result, result_file
from gitorch.flow.attempt.stream_watch import stopped_when_hopeless
from gitorch.model import brief
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.outcome import Exit, ExitReason, Outcome, Usage
from gitorch.model.risky_commands import CommandWatch, RepeatWatch
from gitorch.model.task import Task, current_attempt
from gitorch.rooms import mailbox
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import RoomError

_MORE_PRECISE = (
    ExitReason.COMPLETED,
    ExitReason.LIMITED,
    ExitReason.UNAUTHENTICATED,
    ExitReason.SETUP,
    ExitReason.TRANSIENT,
)
"""Endings that say why an execution was stopped: what the agent was waiting for when its time was over."""


def execute_agent(context: RunContext, task: Task, opened: OpenedAttempt, round_number: int) -> Outcome:
    """Run one round of the agent, or adopt it after a crash, and return its outcome."""
    if task.spec.budget and _remaining_budget(task) <= 0:
        return Outcome(ending=ExitReason.EXHAUSTED, reason=f"the budget of ${task.spec.budget:.2f} is used up")
    spec = _agent_spec(context, task, opened, round_number)
    meter = _meter(context, task, opened, spec)
    with stopped_when_hopeless(context.executor, context.executor.id_of(spec.key), meter.judge, meter.judge_log):
        result = execute(context, opened, spec)
    if result.cause == "failed-to-start":
        return Outcome(ending=ExitReason.SETUP, reason=f"could not start: {result.message}")
    execution = context.executor.id_of(spec.key)
    stderr = tail_text(context.executor, execution, "stderr")
    with context.executor.open_output(execution, "stdout") as lines:
        watch = CommandWatch(opened.agent.events)
        outcome = opened.agent.outcome(watch.through(lines), stderr, result)
    repeated = _store_events(context, opened, spec)
    outcome = msgspec.structs.replace(outcome, commands=(*watch.commands, *repeated), leftover=result.leftover)
    if opened.settings.kind == "command":
        content = read_result(opened.messages, round_number)
        outcome = declared_outcome(outcome, opened.settings.exit_codes, result, content)
    with context.executor.open_output(execution, "stdout") as lines:
        calls = logged_usage(opened.agent, opened.settings, _call_log(context, opened, spec), lines)
        outcome = msgspec.structs.replace(outcome, calls=calls)
    if outcome.usage is None and outcome.calls is None:  # it was stopped before it could say
        with context.executor.open_output(execution, "stdout") as lines:
            outcome = msgspec.structs.replace(outcome, usage=metered_usage(opened.agent, opened.settings, lines))
    if meter.exceeded and result.cause == "stopped":
        outcome = msgspec.structs.replace(outcome, ending=ExitReason.EXHAUSTED, reason=meter.exceeded)
        return outcome
    return _killed(_with_time_limit(outcome, result), result)


def _store_events(context: RunContext, opened: OpenedAttempt, spec: Spec) -> list[str]:
    """Store the events of an execution, and return what its agent did again and again."""
    watch = RepeatWatch()
    events = execution_events(context.executor, context.executor.id_of(spec.key), opened.agent)
    write_events(opened.folder, spec.key.rpartition("/")[2], watch.through(events), limit=spec.max_output // 2)
    return watch.repeated


def _meter(context: RunContext, task: Task, opened: OpenedAttempt, spec: Spec) -> Meter:
    """Return a meter that tells the run what this round adds to the earlier rounds of its attempt."""
    earlier = current_attempt(task).usage or Usage()

    def publish(usage: Usage) -> None:
        context.spending.record(task.id, earlier + usage)

    log = _call_log(context, opened, spec)
    return Meter(opened.agent, opened.settings, budget=_remaining_budget(task), publish=publish, log=log)


def _call_log(context: RunContext, opened: OpenedAttempt, spec: Spec) -> CallLogReader | None:
    def started() -> float | None:
        status = context.executor.poll(context.executor.id_of(spec.key))
        return None if isinstance(status, NotStarted) else status.started or None

    log = CALL_LOGS.get(opened.settings.kind)
    return CallLogReader(log, spec.env, started) if log else None


def _agent_spec(context: RunContext, task: Task, opened: OpenedAttempt, round_number: int) -> Spec:
    attempt = current_attempt(task)
    request = Request(
        task=task.id,
        worktree=opened.room.directory,
        state_folder=opened.room.agent_state,
        brief=_read_brief(opened.folder, round_number),
        brief_file=STDIN_FILE,
        session=attempt.session,
        resume=opened.room.keeps_sessions and (round_number > 1 or attempt.resumed),
        budget=_remaining_budget(task),
        answer=task.answer,
        result_file=str(result_file(opened.messages, round_number)),
        protected=opened.room.protects_files,
    )
    launch = opened.agent.launch(opened.settings, request)
    conflicts = (
        {brief.CONFLICTS_VARIABLE: str(opened.messages / mailbox.NAME)} if context.config.run.tell_conflicts else {}
    )
    command = opened.room.agent_command(launch.argv, {**launch.env, **conflicts})
    return Spec(
        key=f"{opened.key}/agent-{round_number}",
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        stdin=launch.stdin,
        timeout=task.spec.timeout or seconds(context.config.run.task_timeout),
        idle=seconds(context.config.run.idle_timeout),
        max_output=size(context.config.run.max_output),
        secrets=secret_values(context.environment, command.env, names=tuple(opened.settings.key.values())),
        resources=context.resource_limits,
        errand=command.errand,
    )


def _remaining_budget(task: Task) -> float:
    """Return what is left of a task's budget after all its executions, in dollars; 0 if it has none."""
    spent = sum(usage.usd or 0.0 for usage in task.usages)
    return task.spec.budget - spent if task.spec.budget else 0.0


def _read_brief(folder: Path, round_number: int) -> bytes:
    path = brief_file(folder, round_number)
    try:
        return regular_files.read(path)
    except FileNotFoundError as error:
        raise RoomError(f"brief {path} is missing") from error


def _with_time_limit(outcome: Outcome, result: Exit) -> Outcome:
    """Replace an agent's own outcome with the limit or the request that ended its execution."""
    reasons = {
        "timeout": (ExitReason.TIMED_OUT, "timed out"),
        "idle": (ExitReason.STALLED, "idle: no output and no CPU time"),
        "stopped": (ExitReason.STOPPED, result.message),
        "limit": (ExitReason.FAILED, result.message),
    }
    more_precise = (ExitReason.COMPLETED,) if result.cause == "limit" else _MORE_PRECISE
    if result.cause not in reasons or outcome.ending in more_precise:
        return outcome
    ending, reason = reasons[result.cause]
    return msgspec.structs.replace(outcome, ending=ending, reason=reason)


def _killed(outcome: Outcome, result: Exit) -> Outcome:
    """Return the outcome of an agent that a signal killed as lost: it is retried, as memory may have run out."""
    if not result.fatal_signal or outcome.ending is not ExitReason.FAILED:
        return outcome
    return msgspec.structs.replace(outcome, ending=ExitReason.LOST, reason=result.killing)


def execute(context: RunContext, opened: OpenedAttempt, spec: Spec) -> Exit:
    """Run a program under supervision, unless the attempt was asked to stop before it started."""
    executor = context.executor
    stop = stop_reason(opened.folder)
    if stop and isinstance(executor.poll(executor.id_of(spec.key)), NotStarted):
        return Exit(cause="stopped", message=stop)
    execution = executor.submit(spec)
    if stop := stop_reason(opened.folder):
        executor.cancel(execution, stop)
    return wait_for_end(executor, spec)


def request_stop(context: RunContext, task: Task, reason: str, *, now: bool = False) -> None:
    """Stop a running attempt, from any process: its executions end, and no new ones start."""
    record_stop(attempt_folder(context.folder, task), reason)
    for execution in context.executor.adopt(attempt_key(task)):
        context.executor.cancel(execution, reason, now=now)
