"""The stream of `codex exec`: one JSON event a line, of which the last one tells how a turn ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from gitorch.agents import streams
from gitorch.agents.streams import Record, rows, table, word
from gitorch.model.outcome import Ending, Event, Exit, Outcome, Usage

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


def outcome(lines: Iterable[bytes], stderr: str, ended: Exit) -> Outcome:
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


def events(line: bytes) -> Iterator[Event]:
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
    said = "\n".join(complaints(stderr))
    waiting = _waiting(seen.retry) if _is_retry(seen.retry) else None
    return streams.unfinished(so_far, ended, said, waiting=waiting, mute=_ending(said) if silent else None)


def _waiting(retry: str) -> tuple[Ending, str]:
    ending = _ending(retry)
    return (Ending.TRANSIENT if ending is Ending.FAILED else ending), retry


def complaints(stderr: str) -> list[str]:
    """Return the lines of the error stream that are not mere notices."""
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
