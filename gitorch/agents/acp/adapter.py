"""The `acp` agent: any program that speaks the Agent Client Protocol on its standard input and output.

A process of gitorch's (`agents.acp.process`) talks to it in the room. This module starts that and reads its events.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from gitorch.agents import limit_reset, streams
from gitorch.agents.acp.permissions import described
from gitorch.agents.acp.updates import is_without_input
from gitorch.agents.programs import require_program
from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.agents.streams import Record, count_at, number_at, object_at, objects_at, text_at, texts_at
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.extras import install_command
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome, Usage

_STOP_REASONS = {
    "end_turn": ExitReason.COMPLETED,
    "max_tokens": ExitReason.LOST,  # its last message is not complete, so that its work may not be
    "max_turn_requests": ExitReason.EXHAUSTED,
    "refusal": ExitReason.DECLINED,
    "cancelled": ExitReason.STOPPED,
}
_STOP_TEXTS = {
    "max_tokens": "its last message was cut off at the output limit",
    "max_turn_requests": "its requests for one turn are used up",
    "refusal": "the model refused the task",
    "cancelled": "it cancelled its turn",
}
_PHASES = {
    "start": ExitReason.SETUP,
    "initialize": ExitReason.SETUP,
    "authenticate": ExitReason.UNAUTHENTICATED,
    "model": ExitReason.SETUP,
    "stopped": ExitReason.STOPPED,
    "ended": ExitReason.LOST,
}
_AUTH_REQUIRED = -32000

# the protocol has no codes for these: tried in order on the text of the error
_MESSAGES: tuple[tuple[re.Pattern[str], ExitReason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), ending)
    for pattern, ending in (
        (r"credit balance|out of credits|insufficient (credits|balance|funds)|billing", ExitReason.UNAUTHENTICATED),
        (
            r"not logged in|log ?in again|unauthori[sz]ed|invalid api key|api key not valid|authentication",
            ExitReason.UNAUTHENTICATED,
        ),
        (r"rate.?limit|usage limit|hit your limit|quota|too many requests|resource.?exhausted", ExitReason.LIMITED),
        (r"prompt is too long|context (window|length)|too many tokens|maximum length", ExitReason.TOO_LONG),
        (r"model\W+\S+\W+(does not exist|is not supported|not found)|model_not_found", ExitReason.SETUP),
        (r"overloaded|at capacity|unavailable|timed? ?out|bad gateway", ExitReason.TRANSIENT),
        (streams.NETWORK_TROUBLE, ExitReason.TRANSIENT),
    )
)
_BUSY_STATE = re.compile(r"failed to initialize (sqlite )?state runtime|database is locked", re.IGNORECASE)
"""What codex says that loses the race to create its database, when several start in a new `CODEX_HOME` at once."""

_STATUS = re.compile(r"\b(?:status|error|code):? ?([45]\d\d)\b", re.IGNORECASE)
_YES = re.compile(r"\W*(y|yes|ok|okay|allow|allowed|granted|sure|go ahead)\b", re.IGNORECASE)


class _StreamState(msgspec.Struct):
    """What a stream said so far."""

    final: Record | None = None
    session: str = ""
    text: str = ""
    usd: float | None = None


class Acp:
    """The adapter. `settings.command` is the agent's program, `settings.args` are further arguments of it."""

    pass_env: tuple[str, ...] = ()
    resumable: bool = True
    usage_is_cumulative: bool = False

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:  # noqa: ARG002
        """Return none: the protocol asks for a login only in a session."""
        return ()

    def check_ready(
        self,
        settings: AgentSettings,
        environment: Mapping[str, str],
        probed: Sequence[ProbeResult],  # noqa: ARG002
    ) -> str:
        """Return an empty version, or raise `SetupNeeded` when the program or the protocol's library is missing."""
        require_program(settings, environment)
        if importlib.util.find_spec("acp") is None:
            raise SetupNeeded(
                "agent-missing", "the Agent Client Protocol is not installed", fix=(install_command("acp"),)
            )
        return ""

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        """Return what it is allowed when it asks, and the arguments with which it only reads, if the user names any."""
        return "--permissions", _permissions(settings, protected=protected), *_declared(settings)

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the process that does `request`; a session is only named to load it, as agents choose their ids."""
        # -P: the worktree is the working folder, and its json.py must not replace Python's
        argv = [sys.executable, "-P", "-m", "gitorch.agents.acp.process"]
        argv += ["--worktree", str(request.worktree), "--memory", str(request.state_folder / "acp")]
        argv += ["--session", request.session] if request.resume else []
        argv += ["--granted"] if request.resume and _YES.match(request.answer) else []
        argv += ["--permissions", _permissions(settings, protected=request.protected)]
        argv += ["--auth-method", settings.auth_method] if settings.auth_method else []
        argv += ["--model", settings.model] if settings.model else []
        command = (*settings.command, *settings.args, *_declared(settings))
        return Launch(argv=(*argv, "--", *command), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the events of one execution; only its last `result` event can say that it completed."""
        state = _StreamState()
        silent = True
        for record in streams.records(lines):
            silent = False
            _add(state, record)
        if state.final is not None:
            return _finished(state, state.final, stderr, result)
        usage = Usage(usd=state.usd) if state.usd is not None else None
        so_far = Outcome(ending=ExitReason.LOST, summary=state.text, session=state.session, usage=usage)
        return streams.unfinished(so_far, result, stderr, waiting=None, silent=ExitReason.FAILED if silent else None)

    def metered(self, line: bytes) -> ModelCall | None:
        """Return what the agent says that this execution has cost so far."""
        if b'"usage"' not in line:
            return None
        record = streams.parse(line) or {}
        usd = number_at(record, "usd")
        return ModelCall("session", Usage(usd=usd)) if record.get("type") == "usage" and usd is not None else None

    def hopeless(self, line: bytes) -> str:  # noqa: ARG002
        """Return nothing: the protocol has no events for retries."""
        return ""

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line means for a person; nothing for a line that does not parse."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "message":
                yield Event(kind="text", text=text_at(record, "text"))
            case "thought":
                yield Event(kind="thinking", text=text_at(record, "text"))
            case "told":
                yield Event(kind="result", tool="message", text=streams.first_lines(text_at(record, "text")))
            case "update":
                yield from _update_events(object_at(record, "update"))
            case "permission" if record.get("allowed") is False:
                yield Event(kind="error", text=f"not permitted: {text_at(record, 'title')}")
            case "result":
                yield Event(kind="end", text=_end_text(record))
            case _:
                pass


def _add(state: _StreamState, record: Record) -> None:
    match record.get("type"):
        case "result" if isinstance(record.get("is_error"), bool):
            state.final = record
        case "system":
            state.session = text_at(record, "session_id") or state.session
        case "message":
            state.text = text_at(record, "text") or state.text
        case "usage":
            state.usd = number_at(record, "usd")
        case _:
            pass


def _permissions(settings: AgentSettings, *, protected: bool) -> str:
    is_boxed_reader = settings.permissions == "readonly" and protected
    return "read-and-run" if is_boxed_reader else settings.permissions


def _declared(settings: AgentSettings) -> tuple[str, ...]:
    return (settings.readonly_args or ()) if settings.permissions == "readonly" else ()


def _finished(state: _StreamState, final: Record, stderr: str, result: Exit) -> Outcome:
    ending = _ending(final)
    if streams.was_stopped(result) and ending is not ExitReason.COMPLETED:
        ending = streams.stop_ending(result)
    text = _end_text(final)
    if text_at(final, "phase") in ("start", "initialize", "ended") and len(text_at(final, "result").splitlines()) < 2:
        text = ": ".join(filter(None, (text, *stderr.strip().splitlines()[-1:])))
    reason = streams.stop_reason(result) if streams.was_stopped(result) else text
    return Outcome(
        ending=ending,
        reason="" if ending is ExitReason.COMPLETED else streams.one_line(reason) or "it ended with an error",
        summary=text_at(final, "result") if final["is_error"] is False else state.text,
        session=text_at(final, "session_id") or state.session,
        usage=_usage(final),
        denials=tuple(texts_at(final, "denials")),
        resets_at=limit_reset.parse(text, _written(result)) if ending is ExitReason.LIMITED else None,
        question=text_at(final, "question"),
    )


def _ending(final: Record) -> ExitReason:
    if final["is_error"] is False:
        stop_reason = text_at(final, "stop_reason")
        if stop_reason == "cancelled" and text_at(final, "question"):
            return ExitReason.COMPLETED  # it stopped at the rejection, and waits for a person
        return _STOP_REASONS.get(stop_reason, ExitReason.LOST)
    phase, code = text_at(final, "phase"), count_at(final, "code")
    if code == _AUTH_REQUIRED:
        return ExitReason.UNAUTHENTICATED
    if phase == "load":
        return ExitReason.NO_SESSION
    if phase in ("initialize", "session") and _BUSY_STATE.search(text_at(final, "result")):
        return ExitReason.TRANSIENT
    return _PHASES.get(phase) or _error_ending(code, text_at(final, "result"))


def _error_ending(code: int, text: str) -> ExitReason:
    ending = next((ending for pattern, ending in _MESSAGES if pattern.search(text)), None)
    status = _STATUS.search(text)
    if 400 <= code < 600 or (ending is None and status):  # some agents use the status of HTTP as their code
        by_status = streams.by_status(code if 400 <= code < 600 else int(status[1] if status else 0))
        return by_status if ending is None or by_status is not ExitReason.FAILED else ending
    return ending or ExitReason.FAILED


def _end_text(final: Record) -> str:
    if final.get("is_error") is False:
        return _STOP_TEXTS.get(text_at(final, "stop_reason"), "")
    lines = text_at(final, "result").strip().splitlines()
    if len(lines) > 2:  # what a program printed: its last words say why it ended
        return f"{lines[0].rstrip(': ')}: {lines[-1]}"
    return "\n".join(lines)


def _usage(final: Record) -> Usage:
    tokens = object_at(final, "usage")
    cached, written = count_at(tokens, "cached_read_tokens"), count_at(tokens, "cached_write_tokens")
    return Usage(
        usd=number_at(final, "total_cost_usd"),
        input_tokens=count_at(tokens, "input_tokens") + cached + written,
        cached_tokens=cached,
        output_tokens=count_at(tokens, "output_tokens"),
        turns=count_at(final, "num_turns"),
    )


def _written(result: Exit) -> datetime:
    return datetime.fromtimestamp(result.started + result.seconds) if result.started else datetime.now()


def _update_events(update: Record) -> Iterator[Event]:
    match update.get("sessionUpdate"):
        case "tool_call" if not is_without_input(update):
            yield Event(kind="tool", tool=text_at(update, "kind") or "tool", text=_call(update))
        case "tool_call_update" if update.get("status") in ("completed", "failed"):
            kind = "result" if update["status"] == "completed" else "error"
            texts = [text_at(part, "content", "text") for part in objects_at(update, "content")]
            text = streams.first_lines("\n".join(filter(None, texts)))
            yield Event(kind="error" if kind == "error" else "result", tool=text_at(update, "kind"), text=text)
        case _:
            pass


def _call(update: Record) -> str:
    given = object_at(update, "rawInput")
    return text_at(given, "command") or described(update)
