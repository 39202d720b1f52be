"""What commands have changed since the forecast and the candidate were last made.

Each command that changes their inputs leaves a mark, and starts a refresh that nobody waits for (`refresh`).
A refresh removes the marks that it found when it began. So while there is one, what is saved may be out of date.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gitorch import regular_files
from gitorch.services.run_lock import is_locked
from gitorch.storage import locks

LOCK = "refresh.lock"
_FOLDER = "refresh"
_FAILED = "failed"
_WAIT_SECONDS = 0.5
_PAUSE_SECONDS = 0.01


def mark(folder: Path) -> None:
    """Leave a mark in a state folder; without one there is nothing that could be out of date."""
    with suppress(OSError):  # the command is done, whatever keeps it from this
        (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / _FOLDER / f"{os.getpid()}-{time.time_ns()}").touch()


def marks(folder: Path) -> list[Path]:
    """Return the marks, with that of a refresh that failed."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted((folder / _FOLDER).iterdir())
    return []


def settle(folder: Path, done: Iterable[Path], trouble: str = "") -> None:
    """Remove the marks that a refresh found; keep why it failed, if it did."""
    failed = folder / _FOLDER / _FAILED
    if trouble:
        failed.write_text(trouble, "utf-8")
    for path in done:
        if not (trouble and path == failed):
            path.unlink(missing_ok=True)


def why_outdated(folder: Path) -> str:
    """Return why the saved forecast and candidate may be out of date; empty if they are not.

    Waits a moment for a refresh that is at work. A run keeps both up to date by itself.
    """
    if not marks(folder) or is_locked(folder):
        return ""
    end = time.monotonic() + _WAIT_SECONDS
    while is_at_work(folder) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
    if not marks(folder):
        return ""
    if is_at_work(folder):
        return "the forecast and the candidate are being updated; they are shown as they were before"
    return _failure(folder) or "the forecast and the candidate are out of date; they are updated now"


def is_abandoned(folder: Path) -> bool:
    """Return whether a refresh was killed, so that another one must be started."""
    return bool(marks(folder)) and not _failure(folder) and not is_locked(folder) and not is_at_work(folder)


def is_at_work(folder: Path) -> bool:
    """Return whether a refresh is at work, or about to begin."""
    return locks.is_locked(folder / LOCK)


def _failure(folder: Path) -> str:
    with suppress(OSError):
        return regular_files.read(folder / _FOLDER / _FAILED).decode()
    return ""
