"""What gitorch itself moves, sealed: so that a run can tell it from what its agents moved.

Every process of gitorch appends here what it changes: refs before they move, files of the state after they are written.
Each change has the old value that was found and the new one. So a change by others shows even if gitorch changed the
same thing afterwards: its old value is none that gitorch had left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec

from gitorch import typed
from gitorch.storage import atomic, locks, seals

OwnChanges: TypeAlias = Mapping[str, frozenset[tuple[str, str]]]
"""The old and new values ("" for none) of what gitorch changed, by the name of a ref or the path of a file."""

_FILE = "own.jsonl"


def record(folder: Path, changes: Mapping[str, tuple[str, str]]) -> None:
    """Record changes from an old to a new value, "" for none; `folder` is the state folder.

    Without that folder there is no run that could watch.
    """
    if not folder.is_dir():
        return
    line = seals.seal(msgspec.json.encode(changes), seals.derived_key("own"))
    with locks.file_lock(folder / "own.lock"):
        atomic.append(folder / _FILE, [line], durable=False)


@contextmanager
def writing(folder: Path, path: Path) -> Iterator[None]:
    """Record that a file is written in this block. Call with its lock held."""
    before = identity(path)
    yield
    record(folder, {str(path): (before, identity(path))})


def identity(path: Path) -> str:
    """Return what changes when a file is written or replaced; empty if there is none."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    # the change time: whoever sets the others cannot set this one
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def read(folder: Path) -> OwnChanges:
    """Return all that is recorded; lines of others do not count."""
    key = seals.derived_key("own")
    found: dict[str, set[tuple[str, str]]] = {}
    for line in atomic.read_or_empty(folder / _FILE).splitlines():
        if (content := seals.unseal(line, key)) is not None:
            for name, change in typed.from_json(content, dict[str, tuple[str, str]]).items():
                found.setdefault(name, set()).add(change)
    return {name: frozenset(changes) for name, changes in found.items()}


def foreign(first: Mapping[str, str], own: OwnChanges) -> dict[str, list[str]]:
    """Return the values that gitorch found and had not left, by name; `first` has the values before all changes."""
    values = {
        name: sorted({old for old, _ in changes} - {first.get(name, ""), "", *(new for _, new in changes)})
        for name, changes in own.items()
    }
    return {name: found for name, found in values.items() if found}


def forget(folder: Path) -> None:
    """Forget what is recorded. Only when a run starts: nothing before it is compared."""
    with locks.file_lock(folder / "own.lock"):
        (folder / _FILE).unlink(missing_ok=True)
