"""The events of an attempt's agents in one form for all kinds: `events.jsonl` in its folder, a line each."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.model.clock import rfc3339
from gitorch.model.outcome import Event, EventKind
from gitorch.regular_files import open_plain
from gitorch.storage import atomic

NAME = "events.jsonl"

MOST_BYTES = 16_000_000
"""What is stored of one execution, at most."""

_LARGEST = 4 * MOST_BYTES


class _Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="gitorch/log/1"):
    """One event, as `log --json` prints it: `at` is when it was written (RFC 3339; None: unknown)."""

    execution: str
    at: str | None
    kind: EventKind
    tool: str
    text: str


def write_events(folder: Path, step: str, events: Iterable[Event], *, limit: int) -> None:
    """Add the events of one execution to an attempt's file, in place of those that are there.

    Of more than `limit` bytes, the beginning and the end are kept, and an event says how many are missing. If all
    executions together are too large, only those of this one are. What is not in the file, readers take from the output
    itself: so a full disk is no reason for an attempt to fail.
    """
    path = folder / NAME
    earlier = [line for line in _stored(path) if (event := _parsed(line)) and event.execution != step]
    lines = list(_capped(step, events, min(limit, MOST_BYTES)))
    if sum(map(len, (*earlier, *lines))) > _LARGEST:
        earlier = []
    with suppress(OSError):
        atomic.replace(path, b"".join((*earlier, *lines)), durable=False)


def read_events(folder: Path, step: str) -> list[Event]:
    """Return the events of one execution; nothing if they are not stored."""
    lines = (_parsed(line) for line in _stored(folder / NAME))
    return [_event(line) for line in lines if line and line.execution == step]


def _capped(step: str, events: Iterable[Event], limit: int) -> Iterator[bytes]:
    """Yield the lines that are kept."""
    size, missing, end = 0, 0, deque[bytes]()
    for line in (_line(step, event) for event in events):
        size += len(line)
        if size <= limit // 2:
            yield line
            continue
        end.append(line)
        while size > limit and len(end) > 1:
            missing += 1
            size -= len(end.popleft())
    if missing:
        yield _line(step, Event(kind="text", text=f"[gitorch: {missing} events are missing here]"))
    yield from end


def _line(step: str, event: Event) -> bytes:
    time = rfc3339(datetime.fromtimestamp(event.time, UTC), "milliseconds") if event.time else None
    # text of git or of an agent may hold half a character
    text = event.text.encode("utf-8", "replace").decode()
    line = _Line(execution=step, at=time, kind=event.kind, tool=event.tool, text=text)
    return msgspec.json.encode(line) + b"\n"


def _event(line: _Line) -> Event:
    return Event(kind=line.kind, text=line.text, tool=line.tool, time=_time(line.at))


def _stored(path: Path) -> list[bytes]:
    """Return the lines of the file; none if it is not as it was written: an agent without a sandbox can replace it."""
    try:
        with open_plain(path) as file:
            return file.readlines() if os.fstat(file.fileno()).st_size <= _LARGEST else []
    except OSError:
        return []


def _parsed(line: bytes) -> _Line | None:
    try:
        parsed = typed.from_json(line, _Line)
        _time(parsed.at)
    except (msgspec.DecodeError, ValueError, OverflowError):
        return None
    return parsed


def _time(at: str | None) -> float | None:
    return datetime.fromisoformat(at).timestamp() if at else None
