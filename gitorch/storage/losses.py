"""What was lost with damaged files of the state: every command says it until a person acknowledges it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.storage import atomic

_FILE = "lost.jsonl"


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file: what was lost, or that all before it was acknowledged."""

    what: str = ""
    acknowledged: bool = False


def record(folder: Path, what: str) -> bool:
    """Keep a loss in the state folder; return False if it is kept there, and acknowledged."""
    if any(entry.what == what for entry in _read(folder)):
        return what in unacknowledged(folder)
    # the command that noticed the loss goes on, and says it
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _append(folder, _Entry(what=what))
    return True


def unacknowledged(folder: Path) -> list[str]:
    """Return the losses that nobody has acknowledged, oldest first."""
    messages: list[str] = []
    for entry in _read(folder):
        if entry.acknowledged:
            messages.clear()
        else:
            messages.append(entry.what)
    return messages


def acknowledge(folder: Path) -> int:
    """Record that a person has seen all losses; return how many there were."""
    count = len(unacknowledged(folder))
    if count:
        _append(folder, _Entry(acknowledged=True))
    return count


def _append(folder: Path, entry: _Entry) -> None:
    atomic.append(folder / _FILE, [msgspec.json.encode(entry)])


def _read(folder: Path) -> list[_Entry]:
    try:
        lines = atomic.read_or_empty(folder / _FILE).splitlines()
    except OSError as error:
        return [_Entry(what=f"{_FILE}, the list of what was lost, cannot be read: {error.strerror}")]
    return [_entry(line) for line in lines if line]


def _entry(line: bytes) -> _Entry:
    try:
        return typed.from_json(line, _Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Entry(what=f"{_FILE}, the list of what was lost, is damaged")
