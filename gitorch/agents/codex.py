"""Codex: the `codex exec` command line, with one JSON event a line."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import tomli

from gitorch.agents import streams
from gitorch.agents.protocol import Launch, Probed, Request
from gitorch.agents.streams import Record, rows, table, word
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Ending, Event, Exit, Outcome, Usage

_INSTALL = "npm install -g @openai/codex"

# Tried from top to bottom on the message of the final event: it is all that the stream tells of the cause.
_MESSAGES: tuple[tuple[re.Pattern[str], Ending], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), ending)
    for pattern, ending in (
        (r"usage limit|rate limit|429 too many requests", Ending.LIMITED),
        (r"quota exceeded|upgrade to plus|missing environment variable", Ending.UNAUTHENTICATED),
        (r"not logged in|log ?in again|sign ?in again|refresh token", Ending.UNAUTHENTICATED),
        (r"content[_ ]policy|cyber_policy|usage polic|was flagged", Ending.DECLINED),
        (r"ran out of room|context window", Ending.FAILED),
        (r"high demand|at capacity|overloaded|stream disconnected|idle timeout|timed out", Ending.TRANSIENT),
        (r"connection failed|error sending request|waiting for network|network error", Ending.TRANSIENT),
    )
)
_STATUS = re.compile(r"(?:unexpected status|last status:) (\d{3})")
_RESETS = re.compile(r"try again at (?:([A-Z][a-z]{2}) (\d{1,2})(?:st|nd|rd|th), (\d{4}) )?(\d{1,2}):(\d{2}) ([AP]M)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOISE = re.compile(r"^(Reading additional input|WARNING|warning|\d{4}-\d\d-\d\dT\S+ +(INFO|WARN|DEBUG))")


class _Seen(msgspec.Struct):
    """What a stream told up to its end."""

    final: Record | None = None
    session: str = ""
    text: str = ""
    retry: str = ""


class Codex:
    """Drive the `codex exec` command line.

    The session id is known only from the stream's first event. `Outcome.usage` counts the whole
    thread, also what earlier executions of it used: subtract the last known value after a resume.
    """

    pass_env: tuple[str, ...] = (
        "CODEX_HOME",
        "CODEX_API_KEY",
        "CODEX_ACCESS_TOKEN",
        "CODEX_SQLITE_HOME",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_ORGANIZATION",
        "OPENAI_PROJECT",
    )
    resumable: bool = True
    usage_is_cumulative: bool = True
    """Whether an outcome's usage counts the whole session, not this execution of it."""

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:
        """Return the commands that tell the version and whether somebody is logged in."""
        name = program(settings)
        return (name, "--version"), (name, "login", "status")

    def judge(self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[Probed]) -> str:
        """Return the version, or raise `SetupNeeded` with `agent-missing` or `agent-login`."""
        version, login = probed
        if version.exit_code != 0:
            raise _missing(settings, version)
        lacking = _lacking(_provider(settings, environment), environment, login)
        if lacking:
            raise SetupNeeded(
                "agent-login",
                "codex is not logged in",
                why=lacking,
                fix=("codex login", "export CODEX_API_KEY=..."),
            )
        found = re.search(r"\d+(\.\d+)+", version.stdout)
        return found[0] if found else streams.one_line(version.stdout)

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the unattended command line; the prompt comes by standard input."""
        argv = [program(settings), "exec", "--json", "-C", str(request.worktree)]
        # Codex's own sandbox keeps .git read-only, so `git commit` fails in it: what confines the agent is gitorch's.
        argv += ["-s", "danger-full-access"]
        # Otherwise each execution ends five seconds late where the vendor's host cannot be reached.
        argv += ["-c", "analytics.enabled=false"]
        if settings.model:
            argv += ["-m", settings.model]
        # `resume` has no -C and -s of its own: everything stands before it.
        resume = ("resume", request.session) if request.resume else ()
        return Launch(argv=(*argv, *settings.args, *resume, "-"), stdin=request.prompt_file)

    def outcome(self, lines: Iterable[bytes], stderr: str, ended: Exit) -> Outcome:
        """Read the stream to its end; the last `turn.completed` or `turn.failed` decides."""
        seen = _Seen()
        silent = True
        for record in streams.records(lines):
            silent = False
            _take_in(seen, record)
        if seen.final is None:
            return _without_final(seen, stderr, ended, silent=silent)
        if seen.final["type"] == "turn.completed":
            return Outcome(
                ending=Ending.COMPLETED,
                summary=seen.text,
                session=seen.session,
                usage=_usage(table(seen.final, "usage")),
            )
        message = word(seen.final, "error", "message")
        ending = _ending(message)
        return Outcome(
            ending=ending,
            reason=streams.one_line(_plain(message)) or "the turn failed",
            summary=seen.text,
            session=seen.session,
            resets_at=_resets_at(message, ended) if ending is Ending.LIMITED else None,
        )

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line of the stream tells a person."""
        record = streams.parse(line) or {}
        match record.get("type"):
            case "item.started":
                yield from _started(table(record, "item"))
            case "item.completed":
                yield from _completed(table(record, "item"))
            case "error":
                message = word(record, "message")
                yield Event(kind="retry" if _is_retry(message) else "error", text=message)
            case "turn.failed":
                yield Event(kind="end", text=word(record, "error", "message"))
            case "turn.completed":
                yield Event(kind="end")
            case _:
                pass


def program(settings: AgentSettings) -> str:
    """Return the executable to start, past npm's Node shim: killed, the shim leaves its child running."""
    named = settings.path or "codex"
    found = shutil.which(named, path=settings.env.get("PATH"))
    shim = Path(os.path.realpath(found)) if found else None
    if shim is None or shim.name != "codex.js":
        return named
    package, binary = shim.parent.parent, Path("vendor") / _triple() / "bin" / "codex"
    places = [package / binary, *package.parent.glob(f"codex-*/{binary}")]
    places += package.glob(f"node_modules/@openai/codex-*/{binary}")
    return next((str(place) for place in places if os.access(place, os.X_OK)), named)


def _triple() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{machine}-{'apple-darwin' if sys.platform == 'darwin' else 'unknown-linux-musl'}"


def _missing(settings: AgentSettings, version: Probed) -> SetupNeeded:
    program = settings.path or "codex"
    why = "there is no such program on PATH" if version.exit_code is None else streams.one_line(version.stderr)
    return SetupNeeded("agent-missing", f"`{program}` cannot be started", why=why, fix=(_INSTALL,))


def _lacking(provider: Record, environment: Mapping[str, str], login: Probed) -> str:
    """Return why no login or key would be found for `provider`, "" where one is."""
    key = word(provider, "env_key")
    if key:
        return (
            "" if environment.get(key) else f"its model provider wants {key}, which is not in the agent's environment"
        )
    if provider and provider.get("requires_openai_auth") is not True:
        return ""
    # OPENAI_API_KEY does not count: `codex exec` sends only CODEX_API_KEY or what `codex login` stored.
    if login.exit_code == 0 or environment.get("CODEX_API_KEY"):
        return ""
    said = _said(login.stderr)
    return streams.one_line(said[-1]) if said else "`codex login status` says so, and no CODEX_API_KEY is set"


def _provider(settings: AgentSettings, environment: Mapping[str, str]) -> Record:
    """Return the table of the model provider that the configuration names; empty for the built-in one."""
    config = _config_file(environment)
    for override in _overrides(settings.args):
        config = _merged(config, override)
    name = word(config, "model_provider")
    return table(config, "model_providers", name) if name else {}


def _config_file(environment: Mapping[str, str]) -> Record:
    home = environment.get("CODEX_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".codex")
    path = Path(home) / "config.toml"
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SetupNeeded(
            "agent-login", "codex cannot read its configuration", why=f"{path}: {error}", fix=(f"edit {path}",)
        ) from error


def _overrides(args: Sequence[str]) -> Iterator[Record]:
    for place, arg in enumerate(args):
        if arg in ("-c", "--config") and place + 1 < len(args):
            yield _override(args[place + 1])
        elif arg.startswith("--config="):
            yield _override(arg.removeprefix("--config="))


def _override(setting: str) -> Record:
    key, _, value = setting.partition("=")
    try:
        return tomli.loads(f"{key} = {value}")
    except tomli.TOMLDecodeError:
        # Codex does the same: what is not TOML is a plain string.
        return tomli.loads(f"{key} = {msgspec.json.encode(value).decode()}")


def _merged(config: Record, override: Record) -> Record:
    both = {key: _merged(config[key], override[key]) for key in override if _are_tables(config, override, key)}
    return {**config, **override, **both}


def _are_tables(config: Mapping[str, Any], override: Mapping[str, Any], key: str) -> bool:
    return isinstance(config.get(key), dict) and isinstance(override[key], dict)


def _take_in(seen: _Seen, record: Record) -> None:
    match record.get("type"):
        case "thread.started":
            seen.session = word(record, "thread_id")
        case "turn.completed" | "turn.failed":
            seen.final = record
        case "item.completed" if word(record, "item", "type") == "agent_message":
            seen.text, seen.retry = word(record, "item", "text"), ""
        case "item.started" | "item.completed":
            seen.retry = ""
        case "error":
            # Not the end: a run that recovers has such events too.
            seen.retry = word(record, "message")
        case _:
            pass


def _ending(message: str) -> Ending:
    known = next((ending for pattern, ending in _MESSAGES if pattern.search(message)), None)
    status = _STATUS.search(message)
    if known is None and status:
        return streams.by_status(int(status[1]))
    return known or Ending.FAILED


def _is_retry(message: str) -> bool:
    return message.startswith("Reconnecting")


def _plain(message: str) -> str:
    """Return the words in a message that is a service's error object as it came."""
    body = streams.parse(message.encode()) or {}
    return word(body, "error", "message") or word(body, "detail") or message


def _without_final(seen: _Seen, stderr: str, ended: Exit, *, silent: bool) -> Outcome:
    so_far = Outcome(ending=Ending.LOST, summary=seen.text, session=seen.session)
    said = "\n".join(_said(stderr))
    waiting = _waiting(seen.retry) if _is_retry(seen.retry) else None
    return streams.unfinished(so_far, ended, said, waiting=waiting, mute=_ending(said) if silent else None)


def _waiting(retry: str) -> tuple[Ending, str]:
    ending = _ending(retry)
    return (Ending.TRANSIENT if ending is Ending.FAILED else ending), retry


def _said(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.strip() and not _NOISE.match(line)]


def _resets_at(message: str, ended: Exit) -> float | None:
    """Return the unix time of "try again at 2:00 PM" or "... Nov 23rd, 2026 2:13 AM": local time, to the minute."""
    found = _RESETS.search(message)
    if found is None or (found[1] or "Jan") not in _MONTHS:
        return None
    month, day, year, hour, minute, half = found.groups()
    today = datetime.fromtimestamp(ended.started + ended.seconds) if ended.started else datetime.now()
    clock = f"{int(hour):02}:{minute} {half}"
    date = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}" if month else f"{today:%Y-%m-%d}"
    try:
        moment = datetime.strptime(f"{date} {clock}", "%Y-%m-%d %I:%M %p")
    except ValueError:
        return None
    # Seconds are cut off: rounded up, one does not come back a moment too early.
    return (moment + timedelta(minutes=1)).timestamp()


def _usage(usage: Record) -> Usage:
    return Usage(
        input_tokens=streams.count(usage, "input_tokens"),
        cached_tokens=streams.count(usage, "cached_input_tokens"),
        output_tokens=streams.count(usage, "output_tokens"),
    )


def _started(item: Record) -> Iterator[Event]:
    match item.get("type"):
        case "command_execution":
            yield Event(kind="tool", tool="shell", text=streams.one_line(_inner_command(word(item, "command"))))
        case "mcp_tool_call":
            name = f"{word(item, 'server')}.{word(item, 'tool')}"
            yield Event(kind="tool", tool=name, text=streams.digest(table(item, "arguments")))
        case _:
            pass


def _completed(item: Record) -> Iterator[Event]:
    match item.get("type"):
        case "agent_message":
            yield Event(kind="text", text=word(item, "text"))
        case "reasoning":
            yield Event(kind="thinking", text=word(item, "text"))
        case "command_execution":
            output = streams.first_lines(word(item, "aggregated_output"))
            yield Event(kind="result", tool="shell", text=output)
        case "file_change":
            changes = (f"{word(change, 'kind')} {word(change, 'path')}" for change in rows(item, "changes"))
            yield Event(kind="tool", tool="apply_patch", text=streams.one_line(", ".join(changes)))
        case "web_search":
            yield Event(kind="tool", tool="web_search", text=streams.one_line(word(item, "query")))
        case "error":
            yield Event(kind="error", text=word(item, "message"))
        case _:
            pass


def _inner_command(command: str) -> str:
    """Return what stands in `/bin/bash -lc '...'`."""
    try:
        parts = shlex.split(command)
    except ValueError:
        return command
    return parts[2] if len(parts) == 3 and parts[1] in ("-lc", "-c") else command
