"""Putting a question to an agent's model: started, waited for, ended with us, and every bad end said in words."""

from __future__ import annotations

import uuid
from datetime import datetime

from gitorch.agents import QUESTIONERS
from gitorch.agents.api.adapter import key_env
from gitorch.agents.question import Answer, Question, Sent
from gitorch.config import AgentSettings
from gitorch.errors import GitorchError, Incomplete, InvalidInput, LimitReached, Refused, SetupNeeded
from gitorch.executors.base import ExecutionId, Executor, Spec, tail_text
from gitorch.model.outcome import Exit, ExitReason
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment import agent_environment

SECONDS = 900.0
"""How long an answer may take: a large plan of a thinking model takes minutes."""

_PREFIX = "questions"
_MAX_KEPT = 5
_STDERR_TAIL = 4_000
_INSTALL = {"claude": "npm install -g @anthropic-ai/claude-code", "codex": "npm install -g @openai/codex"}
OTHERWISE = ("orchestrate plan GOAL --agent OTHER", "orchestrate plan GOAL --heuristic   needs no model")


def ask(context: RunContext, agent: str, question: Question, *, seconds: float = SECONDS) -> Answer:
    """Put a question through an agent and return its answer: an object, or words in which there is none.

    Raises a `GitorchError` when there is no answer: `SetupNeeded`, `LimitReached`, `Refused` (the model declined), or
    `Incomplete` (the service failed, the answer was cut off). What was sent and said is kept for a while then.
    """
    settings = context.config.agents[agent]
    if settings.kind not in QUESTIONERS:
        raise InvalidInput("agent-has-no-model", f"{agent} is a command: it cannot be asked", fix=OTHERWISE)
    _forget_old(context.executor)
    execution, exit_record = _run(context, settings, QUESTIONERS[settings.kind].send(settings, question), seconds)
    answer = _read(context.executor, settings, execution, exit_record)
    if answer.outcome.ending is ExitReason.COMPLETED:
        context.executor.ack(execution)
        return answer
    raise _error(agent, settings, answer, exit_record, context.executor.output_location(execution, "stdout"))


def _run(context: RunContext, settings: AgentSettings, sent: Sent, seconds: float) -> tuple[ExecutionId, Exit]:
    env = agent_environment(settings, context.agents[settings.kind], context.environment)
    execution = context.executor.submit(
        Spec(
            key=f"{_PREFIX}/{uuid.uuid4().hex}",
            argv=sent.argv,
            env={**sent.env, **env},
            stdin=sent.stdin,
            files=sent.files,
            timeout=seconds,
        )
    )
    try:
        status = context.executor.wait(execution)
    except BaseException:
        context.executor.cancel(execution, "interrupted", now=True)
        context.executor.wait(execution)
        raise
    assert isinstance(status, Exit)
    return execution, status


def _read(executor: Executor, settings: AgentSettings, execution: ExecutionId, exit_record: Exit) -> Answer:
    stderr = tail_text(executor, execution, "stderr", _STDERR_TAIL)
    with executor.open_output(execution, "stdout") as lines:
        return QUESTIONERS[settings.kind].answer(settings, lines, stderr, exit_record)


def _forget_old(executor: Executor) -> None:
    """Forget earlier questions, except the newest and those still being asked."""
    for submitted in executor.executions(_PREFIX)[:-_MAX_KEPT]:
        executor.ack(submitted.id)


def _error(agent: str, settings: AgentSettings, answer: Answer, ended: Exit, log: str) -> GitorchError:
    if ended.cause == "failed-to-start":
        install = _INSTALL.get(settings.kind, "orchestrate doctor")
        return SetupNeeded("agent-missing", f"{agent} cannot be started", why=ended.message, fix=(install, *OTHERWISE))
    if ended.cause == "timeout":
        what = f"{agent} has not answered within {ended.seconds:.0f} seconds"
        return LimitReached("model-timeout", what, why=answer.outcome.reason, fix=("try again", *OTHERWISE))
    if answer.outcome.ending not in _REFUSALS:
        why = answer.outcome.reason or answer.outcome.ending
        return Incomplete(
            "model-failed", f"{agent} gave no answer", why=why, fix=(*([f"less {log}"] if log else []), *OTHERWISE)
        )
    error, code, what, fix = _REFUSALS[answer.outcome.ending]
    fix = fix or _LOGIN.get(settings.kind) or f"export {key_env(settings)}=..."
    return error(code, f"{what.format(agent)}{_until(answer)}", why=answer.outcome.reason, fix=(fix, *OTHERWISE))


def _until(answer: Answer) -> str:
    at = answer.outcome.resets_at
    return f" until {datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}" if at else ""


_REFUSALS: dict[ExitReason, tuple[type[GitorchError], str, str, str]] = {
    ExitReason.UNAUTHENTICATED: (SetupNeeded, "agent-login", "{} is not logged in, or its key is not accepted", ""),
    ExitReason.LIMITED: (LimitReached, "model-limit", "{} has reached a limit of its service", "try again later"),
    ExitReason.DECLINED: (
        Refused,
        "model-declined",
        "the model of {} declined to answer",
        "say the goal in other words",
    ),
    ExitReason.TRANSIENT: (Incomplete, "model-unavailable", "the service of {} did not answer", "try again"),
}
_LOGIN = {"claude": "claude  (then /login)", "codex": "codex login"}
