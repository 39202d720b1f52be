"""Claude Code: the `claude` command line in print mode, with one JSON event a line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gitorch.agents import streams
from gitorch.agents.protocol import Launch, Probed, Request
from gitorch.agents.streams import Record, number, rows, table, word
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Ending, Event, Exit, Outcome, Usage

_INSTALL = "npm install -g @anthropic-ai/claude-code"

_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")

ENVIRONMENT = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # Its memory folder is named after the main repository: tasks in sibling worktrees would leak into each other.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
}

# They would take the work out of its worktree, or past the end of the execution.
_DISALLOWED = "EnterWorktree,ExitWorktree,CronCreate,ScheduleWakeup"

_ERRORS = {
    "authentication_failed": Ending.UNAUTHENTICATED,
    "oauth_org_not_allowed": Ending.UNAUTHENTICATED,
    "billing_error": Ending.UNAUTHENTICATED,
    "rate_limit": Ending.LIMITED,
    "overloaded": Ending.TRANSIENT,
    "server_error": Ending.TRANSIENT,
    "invalid_request": Ending.FAILED,
    "model_not_found": Ending.FAILED,
    "max_output_tokens": Ending.FAILED,
}
"""What the `error` of an assistant or retry event means; `unknown` and new ones are told by status and text."""

_SUBTYPES = {
    "error_max_turns": Ending.EXHAUSTED,
    "error_max_budget_usd": Ending.EXHAUSTED,
    "error_max_structured_output_retries": Ending.FAILED,
}

_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_ADDED_USAGE = "model_usage_since_last_result"
_MODEL_TOKENS = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens", "outputTokens")

_TRANSIENT = re.compile(r"unable to connect|timed out|overloaded|connection|socket|failed to parse json", re.IGNORECASE)
_LOGIN = re.compile(r"not logged in|/login|authenticat|api key|oauth", re.IGNORECASE)


class _Seen(msgspec.Struct):
    """What a stream told up to its end."""

    results: list[Record] = []
    session: str = ""
    error: str = ""
    text: str = ""
    retry: Record | None = None
    resets_at: float | None = None
    limited: bool = False


class Claude:
    """Drive the `claude` command line.

    The session id is chosen from outside (`--session-id`). `Usage.input_tokens` includes what was
    read from and written to the cache.
    """

    # Not `CLAUDE_CODE_*` as a whole, nor CLAUDECODE: a surrounding session's own state has such names.
    pass_env: tuple[str, ...] = (
        "ANTHROPIC_*",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_*",
        "CLAUDE_CODE_SKIP_*",
        "CLAUDE_CODE_CLIENT_*",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_SUBAGENT_MODEL",
        "API_TIMEOUT_MS",
        "BASH_DEFAULT_TIMEOUT_MS",
        "BASH_MAX_TIMEOUT_MS",
        "MAX_THINKING_TOKENS",
    )
    resumable: bool = True
    usage_is_cumulative: bool = False
    """Whether an outcome's usage counts the whole session, not this execution of it."""

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:
        """Return the commands that tell the version and whether somebody is logged in."""
        program = settings.path or "claude"
        return (program, "--version"), (program, "auth", "status")

    def judge(self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[Probed]) -> str:
        """Return the version, or raise `SetupNeeded` with `agent-missing` or `agent-login`."""
        version, login = probed
        if version.exit_code != 0:
            raise _missing(settings, version)
        # Key helpers and cloud providers count as a login for `claude auth status`.
        status = streams.parse(login.stdout.encode()) or {}
        if status.get("loggedIn") is not True and not any(environment.get(name) for name in _KEYS):
            raise SetupNeeded(
                "agent-login",
                "claude is not logged in",
                why=streams.one_line(login.stderr) or "`claude auth status` says so, and no ANTHROPIC_API_KEY is set",
                fix=("claude  (then /login)", "export ANTHROPIC_API_KEY=..."),
            )
        return _version(version.stdout)

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the unattended command line; the prompt comes by standard input."""
        argv = [settings.path or "claude", "-p", "--output-format", "stream-json", "--verbose"]
        argv += ["--permission-mode", "bypassPermissions", f"--disallowedTools={_DISALLOWED}"]
        argv += ["--resume" if request.resume else "--session-id", request.session]
        if settings.model:
            argv += ["--model", settings.model]
        if request.budget > 0:
            argv += ["--max-budget-usd", f"{request.budget:.6f}"]
        return Launch(argv=(*argv, *settings.args), env=_launch_environment(), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, ended: Exit) -> Outcome:
        """Read the stream to its end; the last `result` decides, never the exit code alone."""
        seen = _Seen()
        silent = True
        for record in streams.records(lines):
            silent = False
            _take_in(seen, record)
        if not seen.results:
            return _without_result(seen, stderr, ended, silent=silent)
        result = seen.results[-1]
        ending = _ending(seen, result, ended)
        return Outcome(
            ending=ending,
            reason=_reason(result, ending, ended),
            summary=word(result, "result") if ending is Ending.COMPLETED else seen.text,
            session=word(result, "session_id") or seen.session,
            usage=_usage(seen.results),
            denials=tuple(_denial(denial) for denial in rows(result, "permission_denials")),
            resets_at=seen.resets_at if ending is Ending.LIMITED else None,
        )

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line of the stream tells a person."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "assistant":
                yield from _assistant_events(record)
            case "user":
                yield from _result_events(record)
            case "system":
                yield from _system_events(record)
            case "rate_limit_event" if word(record, "rate_limit_info", "status") != "allowed":
                yield Event(kind="limit", text=_limit_text(table(record, "rate_limit_info")))
            case "result":
                # A good end repeats the last text.
                yield Event(kind="end", text="" if record.get("is_error") is False else _told(record))
            case _:
                pass


def _missing(settings: AgentSettings, version: Probed) -> SetupNeeded:
    program = settings.path or "claude"
    why = "there is no such program on PATH" if version.exit_code is None else streams.one_line(version.stderr)
    return SetupNeeded("agent-missing", f"`{program}` cannot be started", why=why, fix=(_INSTALL,))


def _version(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else streams.one_line(text)


def _launch_environment() -> dict[str, str]:
    # As root it refuses to work without asking, unless it is told that it cannot do harm.
    return {**ENVIRONMENT, "IS_SANDBOX": "1"} if os.geteuid() == 0 else ENVIRONMENT


def _take_in(seen: _Seen, record: Record) -> None:
    match record.get("type"):
        case "result":
            seen.results.append(record)
        case "assistant" if not record.get("parent_tool_use_id"):
            seen.error = word(record, "error")
            seen.text = ("" if seen.error else _said(record)) or seen.text
            seen.retry = None
        case "rate_limit_event":
            limit = table(record, "rate_limit_info")
            seen.limited = limit.get("status") == "rejected"
            seen.resets_at = number(limit, "resetsAt") if seen.limited else None
        case "system" if record.get("subtype") == "init":
            seen.session = word(record, "session_id")
        case "system" if record.get("subtype") == "api_retry":
            seen.retry = record
        case _:
            pass


def _said(record: Record) -> str:
    return "\n".join(word(block, "text") for block in rows(record, "message", "content") if block.get("type") == "text")


def _ending(seen: _Seen, result: Record, ended: Exit) -> Ending:
    subtype = word(result, "subtype")
    if subtype in _SUBTYPES:
        return _SUBTYPES[subtype]
    if word(result, "stop_reason") == "refusal":
        return Ending.DECLINED
    # `subtype: success` is said of errors too.
    if result.get("is_error") is False:
        return Ending.COMPLETED
    if subtype == "error_during_execution":
        aborted = word(result, "terminal_reason").startswith("aborted")
        return Ending.STOPPED if aborted or streams.was_stopped(ended) else Ending.FAILED
    return _error_ending(seen.error, number(result, "api_error_status"), word(result, "result"), limited=seen.limited)


def _error_ending(error: str, status: float | None, text: str, *, limited: bool = False) -> Ending:
    if limited:
        return Ending.LIMITED
    if error in _ERRORS:
        return _ERRORS[error]
    if status:
        return streams.by_status(int(status))
    return Ending.TRANSIENT if _TRANSIENT.search(text) else Ending.FAILED


def _without_result(seen: _Seen, stderr: str, ended: Exit, *, silent: bool) -> Outcome:
    so_far = Outcome(ending=Ending.LOST, summary=seen.text, session=seen.session)
    mute = Ending.UNAUTHENTICATED if _LOGIN.search(stderr) else Ending.FAILED
    waiting = _waiting(seen.retry) if seen.retry else None
    return streams.unfinished(so_far, ended, stderr, waiting=waiting, mute=mute if silent else None)


def _waiting(retry: Record) -> tuple[Ending, str]:
    ending = _error_ending(word(retry, "error"), number(retry, "error_status"), "")
    return (Ending.TRANSIENT if ending is Ending.FAILED else ending), _retry_text(retry)


def _reason(result: Record, ending: Ending, ended: Exit) -> str:
    if ending is Ending.COMPLETED:
        return ""
    # Of an interruption it tells only how its own message loop ended.
    return streams.one_line(streams.stop_reason(ended) if ending is Ending.STOPPED else _told(result))


def _told(result: Record) -> str:
    return "; ".join(streams.words(result, "errors")) or word(result, "result") or word(result, "subtype")


def _usage(results: Sequence[Record]) -> Usage:
    last = results[-1]
    # In 2.1.332, `modelUsage` and the dollars count a resumed session from its beginning, and one process can print
    # several results: this execution used what each of them adds.
    added = [table(result, _ADDED_USAGE) for result in results if _ADDED_USAGE in result]
    models = _models(added or [table(last, "modelUsage")])
    # `usage` leaves out what subagents used, although the dollars count it; the tables of the models do not.
    names = _MODEL_TOKENS if models else _TOKENS
    fresh, written, cached, output = (
        sum(streams.count(spent, name) for spent in models or [table(last, "usage")]) for name in names
    )
    return Usage(
        usd=sum(number(model, "costUSD") or 0.0 for model in models) if added else number(last, "total_cost_usd"),
        input_tokens=fresh + written + cached,
        cached_tokens=cached,
        output_tokens=output,
        turns=sum(streams.count(result, "num_turns") for result in (results if added else [last])),
    )


def _models(usages: Iterable[Record]) -> list[Record]:
    return [model for usage in usages for model in usage.values() if isinstance(model, dict)]


def _denial(denial: Record) -> str:
    return f"{word(denial, 'tool_name')}: {streams.digest(table(denial, 'tool_input'))}"


def _assistant_events(record: Record) -> Iterator[Event]:
    for block in rows(record, "message", "content"):
        match block.get("type"):
            case "text":
                yield Event(kind="error" if record.get("error") else "text", text=word(block, "text"))
            case "thinking" if word(block, "thinking"):
                yield Event(kind="thinking", text=word(block, "thinking"))
            case "tool_use" | "server_tool_use":
                yield Event(kind="tool", tool=word(block, "name"), text=streams.digest(table(block, "input")))
            case _:
                pass


def _result_events(record: Record) -> Iterator[Event]:
    for block in rows(record, "message", "content"):
        if block.get("type") == "tool_result":
            yield Event(kind="result", text=streams.first_lines(_content_text(block)))


def _content_text(block: Mapping[str, Any]) -> str:
    return word(block, "content") or "\n".join(word(part, "text") for part in rows(block, "content"))


def _system_events(record: Record) -> Iterator[Event]:
    match record.get("subtype"):
        case "api_retry":
            yield Event(kind="retry", text=_retry_text(record))
        case "model_fallback":
            models = f"{word(record, 'original_model')} -> {word(record, 'fallback_model')}"
            yield Event(kind="retry", text=f"{word(record, 'trigger')}: {models}")
        case _:
            pass


def _retry_text(record: Record) -> str:
    status = number(record, "error_status")
    attempt = f"attempt {streams.count(record, 'attempt')} of {streams.count(record, 'max_retries')}"
    return f"{word(record, 'error')}{f' ({int(status)})' if status else ''}, {attempt}"


def _limit_text(limit: Record) -> str:
    return f"{word(limit, 'rateLimitType') or 'rate limit'}: {word(limit, 'status')}"
