"""Putting a question to an agent's model: started, waited for, ended with us, and every bad end said in words."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from datetime import datetime
from pathlib import Path

from gitorch.agents import QUESTIONERS
from gitorch.agents.api.adapter import key_env
from gitorch.agents.question import Answer, Question, Sent
from gitorch.config import AgentSettings
from gitorch.errors import GitorchError, Incomplete, InvalidInput, LimitReached, Refused, SetupNeeded
from gitorch.executors.local import Spec
from gitorch.model.outcome import Ending, Exit
from gitorch.rooms import environment
from gitorch.rooms.environment import Means

SECONDS = 900.0
"""How long an answer may take: a large plan of a thinking model takes minutes."""

_KEPT = 5
_STDERR_TAIL = 4_000
_INSTALL = {"claude": "npm install -g @anthropic-ai/claude-code", "codex": "npm install -g @openai/codex"}
OTHERWISE = ("orchestrate plan GOAL --agent OTHER", "orchestrate plan GOAL --heuristic   needs no model")


def ask(means: Means, agent: str, question: Question, *, seconds: float = SECONDS) -> Answer:
    """Put a question through an agent and return its answer: an object, or words in which there is none.

    Raises a `GitorchError` when there is no answer: `SetupNeeded`, `LimitReached`, `Refused` (the model declined), or
    `Incomplete` (the service failed, the answer was cut off). What was sent and said is kept for a while then.
    """
    settings = means.config.agents[agent]
    if settings.kind not in QUESTIONERS:
        raise InvalidInput("agent-has-no-model", f"{agent} is a command: it cannot be asked", fix=OTHERWISE)
    place = means.folder / "questions" / uuid.uuid4().hex
    _forget_old(means, place.parent)
    ended = _run(means, agent, QUESTIONERS[settings.kind].send(settings, question), place, seconds)
    answer = _read(settings, place, ended)
    if answer.outcome.ending is Ending.COMPLETED:
        shutil.rmtree(place)
        return answer
    raise _refusal(agent, settings, answer, ended, place)


def _run(means: Means, agent: str, sent: Sent, place: Path, seconds: float) -> Exit:
    work = place / "work"
    work.mkdir(parents=True)
    for name, content in {"../question": sent.stdin, **sent.files}.items():
        (work / name).write_bytes(content)
    means.executor.submit(
        Spec(
            folder=place,
            argv=sent.argv,
            cwd=work,
            env={**sent.env, **environment.agent_environment(means, agent)},
            stdin=place / "question",
            timeout=seconds,
        )
    )
    try:
        ended = means.executor.wait(place)
    except BaseException:
        means.executor.cancel(place, "interrupted", now=True)
        means.executor.wait(place)
        raise
    assert isinstance(ended, Exit)
    return ended


def _read(settings: AgentSettings, place: Path, ended: Exit) -> Answer:
    lines = _content(place / "stdout").splitlines(keepends=True)
    stderr = _content(place / "stderr")[-_STDERR_TAIL:].decode("utf-8", "replace")
    return QUESTIONERS[settings.kind].answer(settings, lines, stderr, ended)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _forget_old(means: Means, folder: Path) -> None:
    """Remove what is left of earlier questions but the newest; what is being asked now is left alone."""
    # another command may do the same at the same time
    with contextlib.suppress(FileNotFoundError):
        found = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for place in found[_KEPT:]:
            if isinstance(means.executor.poll(place), Exit):
                shutil.rmtree(place)


def _refusal(agent: str, settings: AgentSettings, answer: Answer, ended: Exit, place: Path) -> GitorchError:
    if ended.cause == "failed-to-start":
        install = _INSTALL.get(settings.kind, "orchestrate doctor")
        return SetupNeeded("agent-missing", f"{agent} cannot be started", why=ended.message, fix=(install, *OTHERWISE))
    if ended.cause == "timeout":
        what = f"{agent} has not answered within {ended.seconds:.0f} seconds"
        return LimitReached("model-timeout", what, why=answer.outcome.reason, fix=("try again", *OTHERWISE))
    if answer.outcome.ending not in _REFUSALS:
        why = answer.outcome.reason or answer.outcome.ending
        return Incomplete("model-failed", f"{agent} gave no answer", why=why, fix=(f"less {place}/stdout", *OTHERWISE))
    error, code, what, fix = _REFUSALS[answer.outcome.ending]
    fix = fix or _LOGIN.get(settings.kind) or f"export {key_env(settings)}=..."
    return error(code, f"{what.format(agent)}{_until(answer)}", why=answer.outcome.reason, fix=(fix, *OTHERWISE))


def _until(answer: Answer) -> str:
    at = answer.outcome.resets_at
    return f" until {datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}" if at else ""


_REFUSALS: dict[Ending, tuple[type[GitorchError], str, str, str]] = {
    Ending.UNAUTHENTICATED: (SetupNeeded, "agent-login", "{} is not logged in, or its key is not accepted", ""),
    Ending.LIMITED: (LimitReached, "model-limit", "{} has reached a limit of its service", "try again later"),
    Ending.DECLINED: (Refused, "model-declined", "the model of {} declined to answer", "say the goal in other words"),
    Ending.TRANSIENT: (Incomplete, "model-unavailable", "the service of {} did not answer", "try again"),
}
_LOGIN = {"claude": "claude  (then /login)", "codex": "codex login"}
