"""While a run is active, only gitorch writes its tasks: a task file or a journal's line of another program is foreign.

Everything is noted before it is written, sealed, among the other changes that gitorch makes (`own_changes`). Without
an active run nothing is checked: a person may edit the task file then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import TypeAlias

import msgspec

from gitorch import regular_files
from gitorch.storage import locks, own_changes
from gitorch.storage.digests import digest

OnForeign: TypeAlias = Callable[[str], None]
"""What a run does with the news that its tasks were changed by another program."""

_RUN = "run"
_WRITTEN = "written"


class Trusted(msgspec.Struct, frozen=True):
    """The names of contents that gitorch has written, or found when the run started."""

    names: Set[str]

    def has(self, content: bytes) -> bool:
        """Return whether gitorch wrote this file or line."""
        return _name(content) in self.names

    def lines(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the files of a journal without foreign lines."""
        return {
            name: b"".join(line for line in content.splitlines(keepends=True) if self.has(line))
            for name, content in files.items()
        }


def start(folder: Path, contents: Iterable[bytes]) -> None:
    """Begin to watch, for the run that holds the lock: what is there is trusted. Call with the tasks locked."""
    own_changes.record(folder, {_RUN: ("", _run(folder)), **_names(contents)})


def trust(folder: Path, *contents: bytes | bytearray) -> None:
    """Note that gitorch is about to write a file or lines. Call with the tasks locked.

    A run that begins to watch afterwards trusts what it finds, so nothing is noted while there is none.
    """
    if _is_run_active(folder):
        own_changes.record(folder, _names(contents))


def trusted(folder: Path) -> Trusted | None:
    """Return what can be trusted; None if no run watches."""
    if not _is_run_active(folder):
        return None
    own = own_changes.read(folder)
    return Trusted(own.keys()) if ("", _run(folder)) in own.get(_RUN, ()) else None


def _is_run_active(folder: Path) -> bool:
    return locks.is_locked(folder / "run.lock")


def _run(folder: Path) -> str:
    """Return the process of the run that holds the lock, or held it last."""
    return regular_files.read(folder / "run.lock").decode("ascii", "replace").strip()


def _names(contents: Iterable[bytes | bytearray]) -> dict[str, tuple[str, str]]:
    return {_name(content): ("", _WRITTEN) for content in contents}


def _name(content: bytes | bytearray) -> str:
    return f"content {digest(content).hex()}"
