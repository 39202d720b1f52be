"""The `api` agent: Anthropic's Messages API with a shell and a text editor, without any CLI.

The work is done by a separate process (`agents.api.process`). This module starts it and reads its events.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.agents import streams
from gitorch.agents.model_calls import message_usage, model_call, usage_of
from gitorch.agents.prices import tokens_of
from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.agents.streams import Record, count_at, number_at, object_at, objects_at, text_at
from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome, Usage

DEFAULT_MODEL = "claude-sonnet-5"
KEY_ENV = "ANTHROPIC_API_KEY"
TOKEN_ENV = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105
_ENDINGS = {
    "authentication_failed": ExitReason.UNAUTHENTICATED,
    "billing_error": ExitReason.UNAUTHENTICATED,
    "rate_limit": ExitReason.LIMITED,
    "overloaded": ExitReason.TRANSIENT,
    "server_error": ExitReason.TRANSIENT,
    "refusal": ExitReason.DECLINED,
    "max_turns": ExitReason.EXHAUSTED,
    "max_budget": ExitReason.EXHAUSTED,
    "terminated": ExitReason.STOPPED,
    "max_output_tokens": ExitReason.LOST,
    "prompt_too_long": ExitReason.TOO_LONG,
    "request_too_large": ExitReason.TOO_LONG,
    "model_not_found": ExitReason.SETUP,
    "no-session": ExitReason.NO_SESSION,
    "session-unreadable": ExitReason.NO_SESSION,
    "unknown": ExitReason.LOST,
}


_TOO_LONG = re.compile(r"prompt is too long|exceeds? .*context", re.IGNORECASE)


class _StreamState(msgspec.Struct):
    """What a stream said so far."""

    final: Record | None = None
    session: str = ""
    text: str = ""
    usage: Usage = Usage()
    retry: Record | None = None


class Api:
    """The adapter. `settings.args` are further flags of the process, `--max-turns` for example.

    `Usage.input_tokens` includes what was read from and written to the cache.
    """

    pass_env: tuple[str, ...] = (
        KEY_ENV,
        TOKEN_ENV,
        "ANTHROPIC_BASE_URL",
        "BASH_TOOL_TIMEOUT_SECONDS",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    )
    resumable: bool = True
    usage_is_cumulative: bool = False

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:  # noqa: ARG002
        """Return none: only the API knows whether a key is valid."""
        return ()

    def check_ready(
        self,
        settings: AgentSettings,
        environment: Mapping[str, str],
        probed: Sequence[ProbeResult],  # noqa: ARG002
    ) -> str:
        """Return the SDK's version; raise `SetupNeeded` without a key, `InvalidInput` for an invalid one."""
        name = key_env(settings)
        names = (KEY_ENV, TOKEN_ENV) if name == KEY_ENV else (name,)
        if not any(environment.get(each, "").strip() for each in names):
            raise SetupNeeded(
                "agent-login",
                f"the api agent has no key: {' or '.join(names)} must be set",
                why="it calls the Anthropic API with your key",
                fix=(f"export {name}=...",),
            )
        from importlib.metadata import version  # 40 ms, for every command that knows the kinds of agents

        return f"anthropic {version('anthropic')}"

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        """Return which tools it gets: only views of files, or a shell too where the box keeps that from writing."""
        if settings.permissions != "readonly":
            return ()
        return "--tools", "read-and-run" if protected else "read"

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the process that does `request`. Its arguments name the key's variable, never the key."""
        # -P: the worktree is the working folder, and its json.py must not replace Python's
        argv = [sys.executable, "-P", "-m", "gitorch.agents.api.process"]
        argv += ["--worktree", str(request.worktree), "--model", settings.model or DEFAULT_MODEL]
        argv += ["--session", request.session, "--sessions", str(request.state_folder / "sessions")]
        argv += ["--key-env", key_env(settings), "--budget", repr(request.budget)]
        argv += self.permission_flags(settings, protected=request.protected)
        argv += ["--resume"] if request.resume else []
        return Launch(argv=(*argv, *settings.args), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the events of one execution; only its last `result` event can say that it completed."""
        state = _StreamState()
        silent = True
        for record in streams.records(lines):
            silent = False
            _add(state, record)
        if state.final is not None:
            return _finished(state, state.final)
        usage = state.usage if state.usage.turns else None
        so_far = Outcome(ending=ExitReason.LOST, summary=state.text, session=state.session, usage=usage)
        waiting = _waiting(state.retry) if state.retry else None
        return streams.unfinished(so_far, result, stderr, waiting=waiting, silent=ExitReason.FAILED if silent else None)

    def metered(self, line: bytes) -> ModelCall | None:
        """Return the usage of a message of the model."""
        return model_call(line)

    def hopeless(self, line: bytes) -> str:  # noqa: ARG002
        """Return nothing: the process does not retry what cannot succeed."""
        return ""

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line means for a person; nothing for a line that does not parse."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "assistant":
                for block in objects_at(record, "message", "content"):
                    yield from _block_event(block)
            case "user":
                for block in objects_at(record, "message", "content"):
                    yield from _answer_event(block)
            case "system" if record.get("subtype") == "api_retry":
                yield Event(kind="retry", text=_retry(record))
            case "result":
                yield from _final_events(record)
            case _:
                pass


def key_env(settings: AgentSettings) -> str:
    """Return the name of the variable that holds the key: `key = { env = "NAME" }`, by default ANTHROPIC_API_KEY."""
    unknown = sorted(set(settings.key) - {"env"})
    name = settings.key.get("env", KEY_ENV)
    if unknown or not name:
        raise InvalidInput(
            "agent-key",
            f"invalid key of the api agent: {', '.join(unknown) or 'env is empty'}",
            why="a key is the name of an environment variable",
            fix=(f'key = {{ env = "{KEY_ENV}" }}',),
        )
    return name


def _add(state: _StreamState, record: Record) -> None:
    state.session = text_at(record, "session_id") or state.session
    match record.get("type"):
        case "result" if isinstance(record.get("is_error"), bool):
            state.final = record
        case "assistant":
            state.text = streams.message_text(record) or state.text
            state.usage += message_usage(object_at(record, "message"))
            state.retry = None
        case "system" if record.get("subtype") == "api_retry":
            state.retry = record
        case _:
            pass


def _finished(state: _StreamState, final: Record) -> Outcome:
    completed = final["is_error"] is False
    ending = ExitReason.COMPLETED if completed else _error_ending(final)
    usage = usage_of(
        tokens_of(object_at(final, "usage")), number_at(final, "total_cost_usd"), count_at(final, "num_turns")
    )
    return Outcome(
        ending=ending,
        reason="" if completed else streams.one_line(text_at(final, "result") or text_at(final, "error")),
        summary=text_at(final, "result") if completed else state.text,
        session=state.session,
        usage=usage,
        resets_at=number_at(final, "resets_at") if ending is ExitReason.LIMITED else None,
    )


def _error_ending(final: Record) -> ExitReason:
    if number_at(final, "api_error_status") == 413 or _TOO_LONG.search(text_at(final, "result")):
        return ExitReason.TOO_LONG
    return _ENDINGS.get(text_at(final, "error"), ExitReason.FAILED)


def _block_event(block: Record) -> Iterator[Event]:
    match block.get("type"):
        case "text":
            yield Event(kind="text", text=text_at(block, "text"))
        case "thinking" if text_at(block, "thinking"):
            yield Event(kind="thinking", text=text_at(block, "thinking"))
        case "tool_use":
            yield Event(kind="tool", tool=text_at(block, "name"), text=_call(object_at(block, "input")))
        case _:
            pass


def _answer_event(block: Record) -> Iterator[Event]:
    match block.get("type"):
        case "tool_result":
            yield Event(kind="result", text=streams.first_lines(text_at(block, "content")))
        case "text":  # of gitorch
            yield Event(kind="result", tool="message", text=streams.first_lines(text_at(block, "text")))
        case _:
            pass


def _call(arguments: Record) -> str:
    # the editor's `command` is a verb, which needs the path
    words = [text_at(arguments, "command"), text_at(arguments, "path"), "restart" if arguments.get("restart") else ""]
    return streams.one_line(" ".join(filter(None, words)))


def _waiting(retry: Record) -> tuple[ExitReason, str]:
    return _ENDINGS.get(text_at(retry, "error"), ExitReason.TRANSIENT), _retry(retry)


def _retry(record: Record) -> str:
    attempt = f"attempt {count_at(record, 'attempt')} of {count_at(record, 'max_retries')}"
    return streams.one_line(f"{text_at(record, 'message') or text_at(record, 'error')}, {attempt}")


def _final_events(final: Record) -> Iterator[Event]:
    failed = final.get("is_error") is not False
    if text_at(final, "error") == "rate_limit":
        yield Event(kind="limit", text=text_at(final, "result"))
    # on success it repeats the last text
    yield Event(kind="end", text=(text_at(final, "result") or text_at(final, "error")) if failed else "")
