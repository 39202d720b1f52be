"""Claude Code: the `claude` command line in print mode, with one JSON event per line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gitorch.agents import limit_reset, streams
from gitorch.agents.model_calls import model_call
from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.agents.streams import Record, number_at, object_at, objects_at, text_at
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome, Usage

_INSTALL = "npm install -g @anthropic-ai/claude-code"

_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")

ENVIRONMENT = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # its memory folder is named after the main repository: tasks would leak into each other
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    # since 2.1.332, the process lives as long as a command that the model left in the background
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
}

# they would move the work out of its worktree, or past the end of the execution
_DISALLOWED = "EnterWorktree,ExitWorktree,CronCreate,ScheduleWakeup"

_WRITING = "Edit,Write,NotebookEdit"

OWN_SETTINGS = ("--setting-sources", "user")
"""Only the user's own settings: in a repository, `.claude/settings.json` and `.mcp.json` name programs to start."""

_ERRORS = {
    "authentication_failed": ExitReason.UNAUTHENTICATED,
    "oauth_org_not_allowed": ExitReason.UNAUTHENTICATED,
    "billing_error": ExitReason.UNAUTHENTICATED,
    "rate_limit": ExitReason.LIMITED,
    "overloaded": ExitReason.TRANSIENT,
    "server_error": ExitReason.TRANSIENT,
    "invalid_request": ExitReason.FAILED,
    "model_not_found": ExitReason.SETUP,
    "max_output_tokens": ExitReason.LOST,
}
"""Meaning of `error` in an assistant or retry event. Status and text decide for `unknown` and for new values."""

_TERMINAL_REASONS = {
    "prompt_too_long": ExitReason.TOO_LONG,
    "image_error": ExitReason.TOO_LONG,
    "blocking_limit": ExitReason.TOO_LONG,
    "budget_exhausted": ExitReason.EXHAUSTED,
    "max_turns": ExitReason.EXHAUSTED,
}
"""Meaning of `terminal_reason` in a failed result, where it is more precise than the error."""

_QUESTIONS = "AskUserQuestion"
_BROKEN_SERVERS = ("failed", "needs-auth")

_SUBTYPES = {
    "error_max_turns": ExitReason.EXHAUSTED,
    "error_max_budget_usd": ExitReason.EXHAUSTED,
    "error_max_structured_output_retries": ExitReason.FAILED,
}

_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_ADDED_USAGE = "model_usage_since_last_result"
_MODEL_TOKENS = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens", "outputTokens")

# tried in order on the text of a result that comes without a code, as from a gateway
_TEXTS: tuple[tuple[re.Pattern[str], ExitReason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), ending)
    for pattern, ending in (
        (r"\blimit reached|(hit|reached|used) \D*\byour \D*\blimit|limit resets", ExitReason.LIMITED),
        (r"used \d+% of your \D*\blimit|(usage|hour|weekly|rate) limit|out of extra usage", ExitReason.LIMITED),
        (r"invalid api key|/login|\boauth\b|authentication_error|failed to authenticate", ExitReason.UNAUTHENTICATED),
        (r"(organization|account) has been disabled|consumer terms", ExitReason.UNAUTHENTICATED),
        (r"not have access to claude|not available in your|security token", ExitReason.UNAUTHENTICATED),
        (r"prompt is too long", ExitReason.TOO_LONG),
        (r"violate our usage policy", ExitReason.DECLINED),
        (r"issue with the selected model|not_found_error\W+message\W+model", ExitReason.SETUP),
        (r"configuration file .* is corrupted", ExitReason.SETUP),
        (r"exceeded the \d+ output token maximum", ExitReason.LOST),
        (r"unable to connect|timed out|overloaded|failed to parse json", ExitReason.TRANSIENT),
        (streams.NETWORK_TROUBLE, ExitReason.TRANSIENT),
    )
)
_STATUS = re.compile(r"\bAPI Error(?: \(\D[^)]*\))?:? \(?(\d{3})\b")
_CREDITS = re.compile(r"out of (\w+ )?credits?|spend(ing)? limit|credit balance|\borg\w* is out of", re.IGNORECASE)
_NO_SESSION = re.compile(r"no conversation found with session id", re.IGNORECASE)
_LOGIN = re.compile(r"not logged in|/login|authenticat|api key|oauth", re.IGNORECASE)


class _StreamState(msgspec.Struct):
    """What a stream said so far."""

    results: list[Record] = []
    session: str = ""
    error: str = ""
    text: str = ""
    retry: Record | None = None
    resets_at: float | None = None
    limited: bool = False
    question: str = ""


class Claude:
    """Drive the `claude` command line.

    The session id is chosen from outside (`--session-id`). `Usage.input_tokens` includes what was
    read from and written to the cache.
    """

    # not all of `CLAUDE_CODE_*`, nor CLAUDECODE: a surrounding session keeps its state in such names
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
        """Return the commands that print the version and the login state."""
        program = settings.path or "claude"
        return (program, "--version"), (program, "auth", "status")

    def check_ready(
        self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[ProbeResult]
    ) -> str:
        """Return the version, or raise `SetupNeeded` with `agent-missing` or `agent-login`."""
        version, login = probed
        if version.exit_code != 0:
            raise _missing(settings, version)
        # `claude auth status` counts key helpers and cloud providers as a login
        status = streams.parse(login.stdout.encode()) or {}
        if status.get("loggedIn") is not True and not any(environment.get(name) for name in _KEYS):
            raise SetupNeeded(
                "agent-login",
                "claude is not logged in",
                why=streams.one_line(login.stderr) or "`claude auth status` says so, and no ANTHROPIC_API_KEY is set",
                fix=("claude  (then /login)", "export ANTHROPIC_API_KEY=..."),
            )
        return _version(version.stdout)

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        """Return the permission mode and the tools that it does not get; without a box, it runs only what reads."""
        if settings.permissions != "readonly":
            return "--permission-mode", "bypassPermissions", f"--disallowedTools={_DISALLOWED}"
        mode = "bypassPermissions" if protected else "dontAsk"
        return "--permission-mode", mode, f"--disallowedTools={_DISALLOWED},{_WRITING}"

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the unattended command line; the prompt comes by standard input."""
        argv = [settings.path or "claude", "-p", "--output-format", "stream-json", "--verbose"]
        argv += self.permission_flags(settings, protected=request.protected)
        argv += OWN_SETTINGS
        argv += ["--resume" if request.resume else "--session-id", request.session]
        if settings.model:
            argv += ["--model", settings.model]
        if request.budget > 0:
            argv += ["--max-budget-usd", f"{request.budget:.6f}"]
        return Launch(argv=(*argv, *settings.args), env=_launch_environment(), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the stream to its end; its last `result` event decides, never the exit code alone."""
        state = _StreamState()
        silent = True
        for record in streams.records(lines):
            silent = False
            _add(state, record)
        # an interrupted retry prints a result about its interruption
        is_refused = state.retry is not None and _waiting(state.retry)[0] is ExitReason.UNAUTHENTICATED
        if not state.results or (is_refused and streams.was_stopped(result)):
            return _without_result(state, stderr, result, silent=silent)
        final = state.results[-1]
        ending = _ending(state, final, result)
        return Outcome(
            ending=ending,
            reason=_reason(final, ending, result),
            summary=text_at(final, "result") if ending is ExitReason.COMPLETED else state.text,
            session=text_at(final, "session_id") or state.session,
            usage=_usage(state.results),
            denials=tuple(
                _denial(denial)
                for denial in objects_at(final, "permission_denials")
                if text_at(denial, "tool_name") != _QUESTIONS
            ),
            resets_at=_resets_at(state, final, result) if ending is ExitReason.LIMITED else None,
            question=state.question,
        )

    def metered(self, line: bytes) -> ModelCall | None:
        """Return the usage of a message of the model, also of a subagent; a message has one line for each block."""
        return model_call(line)

    def hopeless(self, line: bytes) -> str:
        """Return the text of a retry with a refused login, which the command line repeats for three minutes."""
        if b"api_retry" not in line:
            return ""
        record = streams.parse(line) or {}
        ending, text = _waiting(record)
        is_retry = record.get("type") == "system" and record.get("subtype") == "api_retry"
        return text if is_retry and ending is ExitReason.UNAUTHENTICATED else ""

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line of the stream means for a person."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "assistant":
                yield from _assistant_events(record)
            case "user":
                yield from _result_events(record)
            case "system":
                yield from _system_events(record)
            case "rate_limit_event" if text_at(record, "rate_limit_info", "status") != "allowed":
                yield Event(kind="limit", text=_limit_text(object_at(record, "rate_limit_info")))
            case "result":
                # on success it repeats the last text
                yield Event(kind="end", text="" if record.get("is_error") is False else _error_text(record))
            case _:
                pass


def _missing(settings: AgentSettings, version: ProbeResult) -> SetupNeeded:
    program = settings.path or "claude"
    cause = "there is no such program on PATH" if version.exit_code is None else streams.one_line(version.stderr)
    return SetupNeeded("agent-missing", f"`{program}` cannot be started", why=cause, fix=(_INSTALL,))


def _version(text: str) -> str:
    match = re.search(r"\d+(\.\d+)+", text)
    return match[0] if match else streams.one_line(text)


def _launch_environment() -> dict[str, str]:
    # as root it refuses to work unattended, unless this variable says that it is confined
    return {**ENVIRONMENT, "IS_SANDBOX": "1"} if os.geteuid() == 0 else ENVIRONMENT


def _add(state: _StreamState, record: Record) -> None:
    match record.get("type"):
        case "result":
            state.results.append(record)
        case "assistant" if not record.get("parent_tool_use_id"):
            state.error = text_at(record, "error")
            state.text = ("" if state.error else streams.message_text(record)) or state.text
            state.question = _question(record) or state.question
            state.retry = state.retry if state.error else None
        case "rate_limit_event":
            limit = object_at(record, "rate_limit_info")
            state.limited = limit.get("status") == "rejected"
            state.resets_at = number_at(limit, "resetsAt") if state.limited else None
        case "system" if record.get("subtype") == "init":
            state.session = text_at(record, "session_id")
        case "system" if record.get("subtype") == "api_retry":
            state.retry = record
        case _:
            pass


def _ending(state: _StreamState, final: Record, result: Exit) -> ExitReason:
    subtype = text_at(final, "subtype")
    if subtype in _SUBTYPES:
        return _SUBTYPES[subtype]
    if text_at(final, "stop_reason") == "refusal":
        return ExitReason.DECLINED
    # errors can have `subtype: success` too
    if final.get("is_error") is False:
        # its last message is not complete, so that its work may not be
        return ExitReason.LOST if text_at(final, "stop_reason") == "max_tokens" else ExitReason.COMPLETED
    if text_at(final, "terminal_reason") in _TERMINAL_REASONS:
        return _TERMINAL_REASONS[text_at(final, "terminal_reason")]
    if _NO_SESSION.search(_error_text(final)):
        return ExitReason.NO_SESSION
    if subtype == "error_during_execution":
        aborted = text_at(final, "terminal_reason").startswith("aborted")
        return streams.stop_ending(result) if aborted or streams.was_stopped(result) else ExitReason.FAILED
    text = text_at(final, "result")
    if _CREDITS.search(text) and state.resets_at is None:
        return ExitReason.UNAUTHENTICATED
    return _error_ending(state.error, number_at(final, "api_error_status"), text, limited=state.limited)


def _error_ending(error: str, status: float | None, text: str, *, limited: bool = False) -> ExitReason:
    if limited:
        return ExitReason.LIMITED
    if error in _ERRORS:
        return _ERRORS[error]
    if status:
        return streams.by_status(int(status))
    by_text = (ending for pattern, ending in _TEXTS if pattern.search(text))
    stated = _STATUS.search(text)
    return next(by_text, streams.by_status(int(stated[1])) if stated else ExitReason.FAILED)


def _without_result(state: _StreamState, stderr: str, result: Exit, *, silent: bool) -> Outcome:
    so_far = Outcome(ending=ExitReason.LOST, summary=state.text, session=state.session)
    meaning = ExitReason.UNAUTHENTICATED if _LOGIN.search(stderr) else ExitReason.FAILED
    if _NO_SESSION.search(stderr):
        meaning = ExitReason.NO_SESSION
    waiting = _waiting(state.retry) if state.retry else None
    return streams.unfinished(so_far, result, stderr, waiting=waiting, silent=meaning if silent else None)


def _waiting(retry: Record) -> tuple[ExitReason, str]:
    ending = _error_ending(text_at(retry, "error"), number_at(retry, "error_status"), "")
    permanent = (ExitReason.FAILED, ExitReason.LOST)
    return (ExitReason.TRANSIENT if ending in permanent else ending), _retry_text(retry)


def _reason(final: Record, ending: ExitReason, result: Exit) -> str:
    if ending is ExitReason.COMPLETED:
        return ""
    # about an interruption it only says how its own message loop ended
    if ending in (ExitReason.STOPPED, ExitReason.TIMED_OUT, ExitReason.STALLED):
        return streams.one_line(streams.stop_reason(result))
    if ending is ExitReason.LOST and final.get("is_error") is False:
        return "its last message was cut off at the output limit"
    return streams.error_line(_error_text(final))


def _error_text(result: Record) -> str:
    return "; ".join(streams.texts_at(result, "errors")) or text_at(result, "result") or text_at(result, "subtype")


def _resets_at(state: _StreamState, final: Record, result: Exit) -> float | None:
    """Return when the limit ends: the event's own time, or that of the text ("resets 2:13am (UTC)")."""
    if state.resets_at is not None:
        return state.resets_at
    now = datetime.fromtimestamp(result.started + result.seconds) if result.started else datetime.now()
    return limit_reset.parse(_error_text(final), now)


def _usage(results: Sequence[Record]) -> Usage:
    last = results[-1]
    # In 2.1.332, `modelUsage` and the dollars count a resumed session from its beginning, and one process can print
    # several results: this execution used what each of them adds.
    added = [object_at(result, _ADDED_USAGE) for result in results if _ADDED_USAGE in result]
    models = _models(added or [object_at(last, "modelUsage")])
    # `usage` omits what subagents used, which the dollars include; `modelUsage` counts everything
    names = _MODEL_TOKENS if models else _TOKENS
    uncached, written, cached, output = (
        sum(streams.count_at(usage, name) for usage in models or [object_at(last, "usage")]) for name in names
    )
    usd = sum(number_at(model, "costUSD") or 0.0 for model in models) if added else number_at(last, "total_cost_usd")
    return Usage(
        usd=usd,
        input_tokens=uncached + written + cached,
        cached_tokens=cached,
        output_tokens=output,
        turns=sum(streams.count_at(result, "num_turns") for result in (results if added else [last])),
    )


def _models(usages: Iterable[Record]) -> list[Record]:
    return [model for usage in usages for model in usage.values() if isinstance(model, dict)]


def _question(record: Record) -> str:
    """Return what an assistant event asks the user with the tool for questions, with the proposed answers."""
    calls = [block for block in objects_at(record, "message", "content") if block.get("name") == _QUESTIONS]
    questions = [question for call in calls for question in objects_at(call, "input", "questions")]
    return " ".join(_with_options(question) for question in questions)


def _with_options(question: Record) -> str:
    labels = ", ".join(text_at(option, "label") for option in objects_at(question, "options"))
    return text_at(question, "question") + (f" ({labels})" if labels else "")


def _denial(denial: Record) -> str:
    return f"{text_at(denial, 'tool_name')}: {streams.digest(object_at(denial, 'tool_input'))}"


def _assistant_events(record: Record) -> Iterator[Event]:
    for block in objects_at(record, "message", "content"):
        match block.get("type"):
            case "text":
                yield Event(kind="error" if record.get("error") else "text", text=text_at(block, "text"))
            case "thinking" if text_at(block, "thinking"):
                yield Event(kind="thinking", text=text_at(block, "thinking"))
            case "tool_use" | "server_tool_use":
                yield Event(kind="tool", tool=text_at(block, "name"), text=streams.digest(object_at(block, "input")))
            case _:
                pass


def _result_events(record: Record) -> Iterator[Event]:
    for block in objects_at(record, "message", "content"):
        if block.get("type") == "tool_result":
            yield Event(kind="result", text=streams.first_lines(_content_text(block)))


def _content_text(block: Mapping[str, Any]) -> str:
    return text_at(block, "content") or "\n".join(text_at(part, "text") for part in objects_at(block, "content"))


def _system_events(record: Record) -> Iterator[Event]:
    match record.get("subtype"):
        case "api_retry":
            yield Event(kind="retry", text=_retry_text(record))
        case "model_fallback":
            models = f"{text_at(record, 'original_model')} -> {text_at(record, 'fallback_model')}"
            yield Event(kind="retry", text=f"{text_at(record, 'trigger')}: {models}")
        case "init":
            for server in objects_at(record, "mcp_servers"):
                if (status := text_at(server, "status")) in _BROKEN_SERVERS:
                    yield Event(kind="error", text=f"MCP server {text_at(server, 'name')}: {status}")
        case "hook_response" if code := streams.count_at(record, "exit_code"):
            output = streams.one_line(text_at(record, "stderr") or text_at(record, "stdout"))
            yield Event(kind="error", text=f"hook {text_at(record, 'hook_name')} ended with exit code {code}: {output}")
        case _:
            pass


def _retry_text(record: Record) -> str:
    status = number_at(record, "error_status")
    attempt = f"attempt {streams.count_at(record, 'attempt')} of {streams.count_at(record, 'max_retries')}"
    return f"{text_at(record, 'error')}{f' ({int(status)})' if status else ''}, {attempt}"


def _limit_text(limit: Record) -> str:
    return f"{text_at(limit, 'rateLimitType') or 'rate limit'}: {text_at(limit, 'status')}"
