"""What the supervisor of a local execution leaves in its folder: the lock, `run.json` and `exit.json`."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gitorch.executors import processes
from gitorch.executors.base import NotStarted, Running
from gitorch.model.outcome import Exit
from gitorch.storage import atomic


class _Run(msgspec.Struct):
    """The content of `run.json`, which a supervisor writes when it starts."""

    pid: int = 0
    started: float = 0.0


def was_started(folder: Path) -> bool:
    """Return whether a supervisor has ever started in a folder."""
    return (folder / "run.json").exists() or (folder / "exit.json").exists()


@contextlib.contextmanager
def lock(folder: Path, operation: int) -> Iterator[bool]:
    """Take an execution's lock by `flock`; yield whether it was free. Only a live supervisor holds it."""
    try:
        file = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(file, operation)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(file)


def running(folder: Path) -> Running:
    """Return the record of a live supervisor; the pid is 0 while it is still starting."""
    try:
        run = msgspec.json.decode((folder / "run.json").read_bytes(), type=_Run)
    except FileNotFoundError:
        run = _Run()
    return Running(run.pid, run.started)


def last_status(folder: Path) -> Exit | NotStarted | None:
    """Return how an execution without a supervisor ended; None when its supervisor was killed before it could write."""
    if (folder / "exit.json").exists():
        return msgspec.json.decode((folder / "exit.json").read_bytes(), type=Exit)
    return None if (folder / "run.json").exists() else NotStarted()


def record_lost(folder: Path) -> Exit:
    """Record the end of an execution whose supervisor was killed, and kill its processes. Never a success."""
    with lock(folder, fcntl.LOCK_EX):
        if isinstance(status := last_status(folder), Exit):
            return status  # another process was faster
        lost = Exit(
            cause="lost",
            started=running(folder).started,
            leftover=processes.kill_marked(str(folder)),
            message="its supervisor was killed; what it did is not known",
        )
        atomic.replace(folder / "exit.json", msgspec.json.encode(lost))
        return lost
