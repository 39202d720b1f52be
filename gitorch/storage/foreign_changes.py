"""What moved outside of a task's own branch and worktree, and by no command of gitorch: kept until acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.storage import atomic, locks, seals, sizes

FILE = "moved.jsonl"


class ForeignChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference, in words, and the tasks whose agents ran meanwhile. A name in it can hold any character."""

    what: str
    tasks: tuple[str, ...] = ()
    time: datetime | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the file: a difference, or the acknowledgement of all before it. `number` shows missing lines."""

    number: int
    change: ForeignChange | None = None


def record(folder: Path, changes: Iterable[str], tasks: Sequence[str] = ()) -> list[ForeignChange]:
    """Keep differences durably in the state folder, and return them; names in them are without credentials already."""
    recorded = [ForeignChange(what=change, tasks=tuple(tasks), time=datetime.now(UTC)) for change in changes]
    if recorded:
        _append(folder, recorded)
    return recorded


def acknowledge(folder: Path) -> int:
    """Record that a person has seen all differences; return how many there were."""
    count = len(unacknowledged(folder))
    if count:
        _append(folder, [None])
    return count


def unacknowledged(folder: Path) -> list[ForeignChange]:
    """Return the differences that nobody has acknowledged, oldest first; a damaged file is one of them."""
    try:
        content = atomic.read_or_empty(folder / FILE)
    except OSError as error:
        return [ForeignChange(what=f"{FILE} cannot be read: {error.strerror}")]
    if not content:
        return []
    entries, problems = _read(content)
    start = next((index for index, entry in reversed([*enumerate(entries, 1)]) if entry.change is None), 0)
    return [*(entry.change for entry in entries[start:] if entry.change), *problems]


def recorded(folder: Path) -> list[ForeignChange]:
    """Return all differences that the file has, acknowledged or not."""
    entries, _ = _read(atomic.read_or_empty(folder / FILE))
    return [entry.change for entry in entries if entry.change]


def _append(folder: Path, changes: Sequence[ForeignChange | None]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with locks.file_lock(folder / "moved.lock"):
        entries, _ = _read(atomic.read_or_empty(folder / FILE))
        number = max((entry.number for entry in entries), default=0)
        lines = [_Entry(number=number + index, change=change) for index, change in enumerate(changes, 1)]
        key = _key()
        atomic.append(folder / FILE, [_sealed(line, key) for line in lines])
        sizes.note(folder, folder / FILE)


def _read(content: bytes) -> tuple[list[_Entry], list[ForeignChange]]:
    """Return the entries that gitorch wrote, and what is wrong with the file since the last acknowledgement."""
    entries: list[_Entry] = []
    problems: list[ForeignChange] = []
    key = _key()
    for line in content.splitlines():
        entry = _entry(line, key)
        if entry is None:
            if _is_complete(line):
                problems = [ForeignChange(what=f"{FILE} has lines that gitorch did not write")]
            continue
        if entry.number != (entries[-1].number + 1 if entries else 1):
            problems = [ForeignChange(what=f"lines of {FILE} are missing")]
        if entry.change is None:
            problems = []
        entries.append(entry)
    return entries, problems


def _entry(line: bytes, key: bytes) -> _Entry | None:
    content = seals.unseal(line, key)
    return None if content is None else typed.from_json(content, _Entry)


def _is_complete(line: bytes) -> bool:
    """Return whether a line is JSON: not what a killed process began to write."""
    try:
        typed.from_json(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _sealed(entry: _Entry, key: bytes) -> bytes:
    return seals.seal(msgspec.json.encode(entry), key)


def _key() -> bytes:
    return seals.derived_key("moved")
