"""Ask an agent's model a question, as an execution; every failure becomes an error with a fix."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from gitorch.agents import QUESTIONERS
from gitorch.agents.api.adapter import key_env
from gitorch.agents.question import Answer, Question, Sent
from gitorch.config import AgentSettings, size
from gitorch.errors import GitorchError, Incomplete, InvalidInput, LimitReached, Refused, SetupNeeded
from gitorch.executors.protocol import ExecutionId, Executor, Spec, tail_text
from gitorch.executors.starting import wait_for_end
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.outcome import Exit, ExitReason
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment_variables import agent_environment

SECONDS = 900.0
"""The time limit of an answer: a reasoning model takes minutes for a large plan."""

_PREFIX = "questions"
_MAX_KEPT = 5
_STDERR_TAIL = 4_000
_INSTALL = {"claude": "npm install -g @anthropic-ai/claude-code", "codex": "npm install -g @openai/codex"}
ALTERNATIVES = ("orchestrate plan GOAL --agent OTHER", "orchestrate plan GOAL --heuristic   needs no model")


def ask(context: RunContext, agent: str, question: Question, *, seconds: float = SECONDS) -> Answer:
    """Ask a question through an agent and return its answer: an object, or text without one.

    Raises a `GitorchError` if there is no answer: `SetupNeeded`, `LimitReached`, `Refused` (the model declined), or
    `Incomplete` (the service failed, the answer was cut off). The executions of the last failed questions are kept.
    """
    settings = context.config.agents[agent]
    if settings.kind not in QUESTIONERS:
        raise InvalidInput("agent-has-no-model", f"{agent} is a command: it has no model to ask", fix=ALTERNATIVES)
    _forget_old(context.executor)
    execution, result = _run(context, settings, QUESTIONERS[settings.kind].send(settings, question), seconds)
    answer = _read(context.executor, settings, execution, result)
    if answer.outcome.ending is ExitReason.COMPLETED:
        context.executor.ack(execution)
        return answer
    raise _error(agent, settings, answer, result, context.executor.output_location(execution, "stdout"))


def _run(context: RunContext, settings: AgentSettings, sent: Sent, seconds: float) -> tuple[ExecutionId, Exit]:
    env = agent_environment(settings, context.agents[settings.kind], context.environment)
    spec = Spec(
        key=f"{_PREFIX}/{uuid.uuid4().hex}",
        argv=sent.argv,
        env={**sent.env, **env},
        stdin=sent.stdin,
        files=sent.files,
        timeout=seconds,
        max_output=size(context.config.run.max_output),
        secrets=secret_values(context.environment, env, names=tuple(settings.key.values())),
    )
    execution = context.executor.submit(spec)
    try:
        status = wait_for_end(context.executor, spec)
    except BaseException:
        context.executor.cancel(execution, "interrupted", now=True)
        context.executor.wait(execution)
        raise
    return execution, status


def _read(executor: Executor, settings: AgentSettings, execution: ExecutionId, result: Exit) -> Answer:
    stderr = tail_text(executor, execution, "stderr", _STDERR_TAIL)
    with executor.open_output(execution, "stdout") as lines:
        return QUESTIONERS[settings.kind].answer(settings, lines, stderr, result)


def _forget_old(executor: Executor) -> None:
    """Forget earlier questions, except the newest and those still being asked."""
    for submitted in executor.executions(_PREFIX)[:-_MAX_KEPT]:
        executor.ack(submitted.id)


def _error(agent: str, settings: AgentSettings, answer: Answer, result: Exit, log: str) -> GitorchError:
    if result.cause == "failed-to-start":
        install = _INSTALL.get(settings.kind, "orchestrate doctor")
        return SetupNeeded(
            "agent-missing", f"{agent} cannot be started", why=result.message, fix=(install, *ALTERNATIVES)
        )
    if result.cause == "timeout":
        message = f"{agent} has not answered within {result.seconds:.0f} seconds"
        return LimitReached("model-timeout", message, why=answer.outcome.reason, fix=("try again", *ALTERNATIVES))
    if answer.outcome.ending not in _REFUSALS:
        cause = answer.outcome.reason or answer.outcome.ending
        return Incomplete(
            "model-failed", f"{agent} gave no answer", why=cause, fix=(*([f"less {log}"] if log else []), *ALTERNATIVES)
        )
    error, code, message, fix = _REFUSALS[answer.outcome.ending]
    fix = fix or _LOGIN.get(settings.kind) or f"export {key_env(settings)}=..."
    return error(code, f"{message.format(agent)}{_until(answer)}", why=answer.outcome.reason, fix=(fix, *ALTERNATIVES))


def _until(answer: Answer) -> str:
    time = answer.outcome.limit_end(datetime.now(UTC))
    return f" until {time.astimezone():%Y-%m-%d %H:%M}" if time else ""


_REFUSALS: dict[ExitReason, tuple[type[GitorchError], str, str, str]] = {
    ExitReason.UNAUTHENTICATED: (SetupNeeded, "agent-login", "{} is not logged in, or its key is not accepted", ""),
    ExitReason.LIMITED: (LimitReached, "model-limit", "{} has reached a limit of its service", "try again later"),
    ExitReason.DECLINED: (
        Refused,
        "model-declined",
        "the model of {} declined to answer",
        "rephrase the goal",
    ),
    ExitReason.TRANSIENT: (Incomplete, "model-unavailable", "the service of {} did not answer", "try again"),
}
_LOGIN = {"claude": "claude  (then /login)", "codex": "codex login"}
