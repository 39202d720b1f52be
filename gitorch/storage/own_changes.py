"""What gitorch itself moves, sealed: so that a run can tell it from what its agents moved.

Every process of gitorch appends here: a ref and its new value before it moves, a file of the state after it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from gitorch.storage import atomic, locks, seals

_FILE = "own.jsonl"
_Value = TypeVar("_Value")


class OwnChanges(msgspec.Struct, frozen=True):
    """The old and new values of refs that gitorch moved ("" for none), and the identities of files that it wrote."""

    refs: Mapping[str, frozenset[tuple[str, str]]]
    files: Mapping[str, frozenset[str]]


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    refs: dict[str, tuple[str, str]] = {}
    file: str = ""
    identity: str = ""


def record_refs(folder: Path, moves: Mapping[str, tuple[str, str]]) -> None:
    """Record that refs are about to move from an old to a new value, "" for none; `folder` is the state folder.

    Without that folder there is no run that could watch.
    """
    if folder.is_dir():
        _append(folder, _Entry(refs=dict(moves)))


def record_file(folder: Path, path: Path) -> None:
    """Record that gitorch has just written a file."""
    if folder.is_dir():
        _append(folder, _Entry(file=str(path), identity=identity(path)))


def identity(path: Path) -> str:
    """Return what changes when a file is written or replaced; empty if there is none."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def read(folder: Path) -> OwnChanges:
    """Return all that is recorded; lines of others do not count."""
    key = seals.derived_key("own")
    refs: dict[str, set[tuple[str, str]]] = {}
    files: dict[str, set[str]] = {}
    for line in atomic.read_or_empty(folder / _FILE).splitlines():
        if (content := seals.unseal(line, key)) is None:
            continue
        entry = msgspec.json.decode(content, type=_Entry)
        for ref, move in entry.refs.items():
            refs.setdefault(ref, set()).add(move)
        if entry.file:
            files.setdefault(entry.file, set()).add(entry.identity)
    return OwnChanges(_frozen(refs.items()), _frozen(files.items()))


def forget(folder: Path) -> None:
    """Forget what is recorded. Only when a run starts: nothing before it is compared."""
    with locks.file_lock(folder / "own.lock"):
        (folder / _FILE).unlink(missing_ok=True)


def _append(folder: Path, entry: _Entry) -> None:
    line = seals.seal(msgspec.json.encode(entry), seals.derived_key("own"))
    with locks.file_lock(folder / "own.lock"):
        atomic.append(folder / _FILE, [line], durable=False)


def _frozen(items: Iterable[tuple[str, set[_Value]]]) -> dict[str, frozenset[_Value]]:
    return {name: frozenset(values) for name, values in items}
