"""The stream of `codex exec`: one JSON event per line; the last one says how a turn ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from gitorch.agents import limit_reset, streams
from gitorch.agents.streams import Record, object_at, objects_at, text_at
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome, Usage

# tried in order on the message of the final event, the only source for the cause
_MESSAGES: tuple[tuple[re.Pattern[str], ExitReason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), ending)
    for pattern, ending in (
        (r"no rollout found for (thread|conversation)", ExitReason.NO_SESSION),
        (r"out of credits|credits? (are |is )?depleted|spend cap|spend(ing)? limit", ExitReason.UNAUTHENTICATED),
        (r"usage limit|rate limit|429 too many requests", ExitReason.LIMITED),
        (r"quota exceeded|upgrade to plus|missing environment variable", ExitReason.UNAUTHENTICATED),
        (r"not logged in|log ?in again|sign ?in again|refresh token", ExitReason.UNAUTHENTICATED),
        (r"content[_ ]policy|cyber_policy|usage polic|was flagged", ExitReason.DECLINED),
        (r"ran out of room|context window|input exceeds the maximum length|above the token limit", ExitReason.TOO_LONG),
        (r"model\W+\S+\W+(does not exist|is not supported|not found)|model_not_found", ExitReason.SETUP),
        (
            r"\S+ model (is not supported|has been (deprecated|retired))|not supported with the \S+ model",
            ExitReason.SETUP,
        ),
        (r"model\W+\S+\W+has been (deprecated|retired)", ExitReason.SETUP),
        (r"high demand|at capacity|overloaded|stream disconnected|idle timeout|timed out", ExitReason.TRANSIENT),
        (r"while processing your request|error sending request|waiting for network", ExitReason.TRANSIENT),
        (streams.NETWORK_TROUBLE, ExitReason.TRANSIENT),
    )
)
_STATUS = re.compile(r"(?:unexpected status|last status:) (\d{3})")
_NOISE = re.compile(r"^(Reading additional input|WARNING|warning|\d{4}-\d\d-\d\dT\S+ +(INFO|WARN|DEBUG))")


class _StreamState(msgspec.Struct):
    """What a stream said so far."""

    final: Record | None = None
    session: str = ""
    text: str = ""
    retry: str = ""


def outcome(lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
    """Read the stream to its end; the last `turn.completed` or `turn.failed` decides."""
    state = _StreamState()
    silent = True
    for record in streams.records(lines):
        silent = False
        _add(state, record)
    if state.final is None:
        return _without_final(state, stderr, result, silent=silent)
    if state.final["type"] == "turn.completed":
        return Outcome(
            ending=ExitReason.COMPLETED,
            summary=state.text,
            session=state.session,
            usage=_usage(object_at(state.final, "usage")),
        )
    message = text_at(state.final, "error", "message")
    ending = _ending(message)
    return Outcome(
        ending=ending,
        reason=streams.error_line(message) or "the turn failed",
        summary=state.text,
        session=state.session,
        resets_at=_resets_at(message, result) if ending is ExitReason.LIMITED else None,
    )


def hopeless(line: bytes) -> str:
    """Return the text of a retry with a refused login; "" for other lines."""
    if b"Reconnecting" not in line:
        return ""
    record = streams.parse(line) or {}
    message = text_at(record, "message") if record.get("type") == "error" else ""
    if not _is_retry(message):
        return ""
    ending, text = _waiting(message)
    return text if ending is ExitReason.UNAUTHENTICATED else ""


def events(line: bytes) -> Iterator[Event]:
    """Yield what one line of the stream means for a person."""
    record = streams.parse(line) or {}
    match record.get("type"):
        case "item.started":
            yield from _started(object_at(record, "item"))
        case "item.completed":
            yield from _completed(object_at(record, "item"))
        case "error":
            message = text_at(record, "message")
            yield Event(kind="retry" if _is_retry(message) else "error", text=message)
        case "turn.failed":
            yield Event(kind="end", text=text_at(record, "error", "message"))
        case "turn.completed":
            yield Event(kind="end")
        case _:
            pass


def _add(state: _StreamState, record: Record) -> None:
    match record.get("type"):
        case "thread.started":
            state.session = text_at(record, "thread_id")
        case "turn.completed" | "turn.failed":
            state.final = record
        case "item.completed" if text_at(record, "item", "type") == "agent_message":
            state.text, state.retry = text_at(record, "item", "text"), ""
        case "item.started" | "item.completed":
            state.retry = ""
        case "error":
            # not the end: an execution that recovers has such events too
            state.retry = text_at(record, "message")
        case _:
            pass


def _ending(message: str) -> ExitReason:
    ending = next((ending for pattern, ending in _MESSAGES if pattern.search(message)), None)
    status = _STATUS.search(message)
    if ending is None and status:
        return streams.by_status(int(status[1]))
    return ending or ExitReason.FAILED


def _is_retry(message: str) -> bool:
    return message.startswith("Reconnecting")


def _without_final(state: _StreamState, stderr: str, result: Exit, *, silent: bool) -> Outcome:
    so_far = Outcome(ending=ExitReason.LOST, summary=state.text, session=state.session)
    errors = "\n".join(complaints(stderr))
    waiting = _waiting(state.retry) if _is_retry(state.retry) else None
    return streams.unfinished(so_far, result, errors, waiting=waiting, silent=_ending(errors) if silent else None)


def _waiting(retry: str) -> tuple[ExitReason, str]:
    ending = _ending(retry)
    return (ExitReason.TRANSIENT if ending is ExitReason.FAILED else ending), streams.error_line(retry)


def complaints(stderr: str) -> list[str]:
    """Return the lines of standard error that are not just notices."""
    return [line for line in stderr.splitlines() if line.strip() and not _NOISE.match(line)]


def _resets_at(message: str, result: Exit) -> float | None:
    """Return the unix time of "try again at 2:00 PM" or "... Nov 23rd, 2026 2:13 AM": local time."""
    now = datetime.fromtimestamp(result.started + result.seconds) if result.started else datetime.now()
    return limit_reset.parse(message, now)


def _usage(usage: Record) -> Usage:
    return Usage(
        input_tokens=streams.count_at(usage, "input_tokens"),
        cached_tokens=streams.count_at(usage, "cached_input_tokens"),
        output_tokens=streams.count_at(usage, "output_tokens"),
    )


def _started(item: Record) -> Iterator[Event]:
    match item.get("type"):
        case "command_execution":
            yield Event(kind="tool", tool="shell", text=streams.one_line(_inner_command(text_at(item, "command"))))
        case "mcp_tool_call":
            name = f"{text_at(item, 'server')}.{text_at(item, 'tool')}"
            yield Event(kind="tool", tool=name, text=streams.digest(object_at(item, "arguments")))
        case _:
            pass


def _completed(item: Record) -> Iterator[Event]:
    match item.get("type"):
        case "agent_message":
            yield Event(kind="text", text=text_at(item, "text"))
        case "reasoning":
            yield Event(kind="thinking", text=text_at(item, "text"))
        case "command_execution":
            output = streams.first_lines(text_at(item, "aggregated_output"))
            yield Event(kind="result", tool="shell", text=output)
        case "file_change":
            changes = (f"{text_at(change, 'kind')} {text_at(change, 'path')}" for change in objects_at(item, "changes"))
            yield Event(kind="tool", tool="apply_patch", text=streams.one_line(", ".join(changes)))
        case "web_search":
            yield Event(kind="tool", tool="web_search", text=streams.one_line(text_at(item, "query")))
        case "error":
            yield Event(kind="error", text=text_at(item, "message"))
        case _:
            pass


def _inner_command(command: str) -> str:
    """Return the command inside `/bin/bash -lc '...'`."""
    try:
        parts = shlex.split(command)
    except ValueError:
        return command
    return parts[2] if len(parts) == 3 and parts[1] in ("-lc", "-c") else command
