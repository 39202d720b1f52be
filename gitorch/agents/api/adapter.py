"""The `api` agent: Anthropic's Messages API with a shell and a text editor, without any CLI.

The work is done by a process of its own (`api_child`); here is how it is started, and how its events are read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

import msgspec

from gitorch.agents import streams
from gitorch.agents.api.prices import Tokens, dollars, tokens_of
from gitorch.agents.protocol import Launch, Probed, Request
from gitorch.agents.streams import Record, count, number, rows, table, word
from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.model.outcome import Ending, Event, Exit, Outcome, Usage

DEFAULT_MODEL = "claude-sonnet-5"
KEY_ENV = "ANTHROPIC_API_KEY"
TOKEN_ENV = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105
_ENDINGS = {
    "authentication_failed": Ending.UNAUTHENTICATED,
    "billing_error": Ending.UNAUTHENTICATED,
    "rate_limit": Ending.LIMITED,
    "overloaded": Ending.TRANSIENT,
    "server_error": Ending.TRANSIENT,
    "refusal": Ending.DECLINED,
    "max_turns": Ending.EXHAUSTED,
    "max_budget": Ending.EXHAUSTED,
    "terminated": Ending.STOPPED,
    "unknown": Ending.LOST,
}


class _Seen(msgspec.Struct):
    """What a stream told up to its end."""

    result: Record | None = None
    session: str = ""
    text: str = ""
    spent: Usage = Usage()
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
        """Return no command: whether a key is valid is only known to the API."""
        return ()

    def judge(
        self,
        settings: AgentSettings,
        environment: Mapping[str, str],
        probed: Sequence[Probed],  # noqa: ARG002
    ) -> str:
        """Return the SDK's version; raise `SetupNeeded` without a key, `InvalidInput` for a key that is no variable."""
        name = key_env(settings)
        names = (KEY_ENV, TOKEN_ENV) if name == KEY_ENV else (name,)
        if not any(environment.get(each, "").strip() for each in names):
            raise SetupNeeded(
                "agent-login",
                f"The api agent has no key: {' or '.join(names)} must be set.",
                why="It calls the Anthropic API with a key of yours.",
                fix=(f"export {name}=...",),
            )
        return f"anthropic {version('anthropic')}"

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the process that does `request`. The key's variable is named in it, never its value."""
        # -P: the worktree is the working folder, and its json.py must not be imported in place of Python's.
        argv = [sys.executable, "-P", "-m", "gitorch.agents.api.process"]
        argv += ["--worktree", str(request.worktree), "--model", settings.model or DEFAULT_MODEL]
        argv += ["--session", request.session, "--sessions", str(request.state_folder / "sessions")]
        argv += ["--key-env", key_env(settings), "--budget", repr(request.budget)]
        argv += ["--resume"] if request.resume else []
        return Launch(argv=(*argv, *settings.args), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, ended: Exit) -> Outcome:
        """Read the events of one execution; only its last `result` can say that it completed."""
        seen = _Seen()
        silent = True
        for record in streams.records(lines):
            silent = False
            _take_in(seen, record)
        if seen.result is not None:
            return _finished(seen, seen.result)
        usage = seen.spent if seen.spent.turns else None
        so_far = Outcome(ending=Ending.LOST, summary=seen.text, session=seen.session, usage=usage)
        waiting = (
            (_ENDINGS.get(word(seen.retry, "error"), Ending.TRANSIENT), _retry(seen.retry)) if seen.retry else None
        )
        return streams.unfinished(so_far, ended, stderr, waiting=waiting, mute=Ending.FAILED if silent else None)

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line tells a person; nothing for a line that does not parse."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "assistant" | "user":
                for block in rows(record, "message", "content"):
                    yield from _told(block)
            case "system" if record.get("subtype") == "api_retry":
                yield Event(kind="retry", text=_retry(record))
            case "result":
                yield from _ended(record)
            case _:
                pass


def key_env(settings: AgentSettings) -> str:
    """Return the name of the variable that holds the key: `key = { env = "NAME" }`, by default ANTHROPIC_API_KEY."""
    unknown = sorted(set(settings.key) - {"env"})
    name = settings.key.get("env", KEY_ENV)
    if unknown or not name:
        raise InvalidInput(
            "agent-key",
            f"The key of the api agent is not understood: {', '.join(unknown) or 'env is empty'}.",
            why="A key is the name of an environment variable.",
            fix=(f'key = {{ env = "{KEY_ENV}" }}',),
        )
    return name


def _take_in(seen: _Seen, record: Record) -> None:
    seen.session = word(record, "session_id") or seen.session
    match record.get("type"):
        case "result" if isinstance(record.get("is_error"), bool):
            seen.result = record
        case "assistant":
            seen.text = _said(record) or seen.text
            seen.spent += _spent(table(record, "message"))
            seen.retry = None
        case "system" if record.get("subtype") == "api_retry":
            seen.retry = record
        case _:
            pass


def _finished(seen: _Seen, result: Record) -> Outcome:
    completed = result["is_error"] is False
    ending = Ending.COMPLETED if completed else _ENDINGS.get(word(result, "error"), Ending.FAILED)
    usage = _usage(tokens_of(table(result, "usage")), number(result, "total_cost_usd"), count(result, "num_turns"))
    return Outcome(
        ending=ending,
        reason="" if completed else streams.one_line(word(result, "result") or word(result, "error")),
        summary=word(result, "result") if completed else seen.text,
        session=seen.session,
        usage=usage,
        resets_at=number(result, "resets_at") if ending is Ending.LIMITED else None,
    )


def _said(record: Record) -> str:
    return "\n".join(word(block, "text") for block in rows(record, "message", "content") if block.get("type") == "text")


def _spent(message: Record) -> Usage:
    """Return what one message adds to the bill."""
    tokens = tokens_of(table(message, "usage"))
    return _usage(tokens, dollars(word(message, "model"), tokens), 1)


def _usage(tokens: Tokens, usd: float | None, turns: int) -> Usage:
    return Usage(
        usd=usd,
        input_tokens=tokens.prompt,
        cached_tokens=tokens.cache_read_input_tokens,
        output_tokens=tokens.output_tokens,
        turns=turns,
    )


def _told(block: Record) -> Iterator[Event]:
    match block.get("type"):
        case "text":
            yield Event(kind="text", text=word(block, "text"))
        case "thinking" if word(block, "thinking"):
            yield Event(kind="thinking", text=word(block, "thinking"))
        case "tool_use":
            yield Event(kind="tool", tool=word(block, "name"), text=_call(table(block, "input")))
        case "tool_result":
            yield Event(kind="result", text=streams.first_lines(word(block, "content")))
        case _:
            pass


def _call(arguments: Record) -> str:
    # The editor's `command` is a verb, which tells little without its path.
    words = [word(arguments, "command"), word(arguments, "path"), "restart" if arguments.get("restart") else ""]
    return streams.one_line(" ".join(filter(None, words)))


def _retry(record: Record) -> str:
    attempt = f"attempt {count(record, 'attempt')} of {count(record, 'max_retries')}"
    return streams.one_line(f"{word(record, 'message') or word(record, 'error')}, {attempt}")


def _ended(result: Record) -> Iterator[Event]:
    failed = result.get("is_error") is not False
    if word(result, "error") == "rate_limit":
        yield Event(kind="limit", text=word(result, "result"))
    # A good end repeats the last text.
    yield Event(kind="end", text=(word(result, "result") or word(result, "error")) if failed else "")
