"""What was read at home of a live execution's output: all that is left of it when its worker is lost."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gitorch.executors.temporal.messages import Piece

_FILE = "seen"
_MOST_BYTES = 16_000_000
_BLOCK_BYTES = 65_536


class SeenOutput:
    """Keeps the standard output that readers of this process get, in the folders of the executions.

    The process that reads an output from its start keeps it, and no other one meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Path, tuple[BinaryIO, int]] = {}

    def note(self, folder: Path, start: int, piece: Piece) -> None:
        """Keep what a reader got after the position `start`, unless it is there already or something is missing."""
        with self._lock:
            if start == 0 and folder not in self._kept:
                with contextlib.suppress(OSError):  # another process keeps it
                    self._kept[folder] = (_begun(folder / _FILE), 0)
            if folder not in self._kept:
                return
            file, end = self._kept[folder]
            if start <= end < piece.position and file.tell() < _MOST_BYTES:
                file.write(piece.content[-(piece.position - end) :])
                file.flush()
                self._kept[folder] = (file, piece.position)

    def end(self, folder: Path) -> None:
        """Keep nothing more of an execution, whose result is at home."""
        with self._lock:
            if kept := self._kept.pop(folder, None):
                kept[0].close()
        with contextlib.suppress(FileNotFoundError):
            (folder / _FILE).unlink()


def blocks(folder: Path) -> Iterator[bytes]:
    """Yield what was kept of an output, by any process."""
    with contextlib.suppress(FileNotFoundError), (folder / _FILE).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _begun(path: Path) -> BinaryIO:
    """Open an empty file that no other process writes to. Raises `OSError` if one does."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    file.truncate(0)
    file.seek(0)
    return file
