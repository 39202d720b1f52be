"""What the supervisor of a local execution leaves in its folder: the lock, `run.json` and `exit.json`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.errors import OUT_OF_SPACE
from gitorch.executors import processes
from gitorch.executors.process_tree import start_ticks
from gitorch.executors.protocol import NotStarted, Running
from gitorch.model.outcome import Exit
from gitorch.regular_files import open_plain
from gitorch.storage import atomic, seals

_LONGEST_RECORD = 1 << 20
_LONGEST_WORDS = 1_000


class _Run(msgspec.Struct):
    """The content of `run.json`, which a supervisor writes when it starts."""

    pid: int = 0
    started: float = 0.0
    ticks: int = 0


def was_started(folder: Path) -> bool:
    """Return whether a supervisor has ever started in a folder."""
    return (folder / "run.json").exists() or (folder / "exit.json").exists()


@contextlib.contextmanager
def lock(folder: Path, operation: int) -> Iterator[bool]:
    """Take an execution's lock by `flock`; yield whether it was free. Only a live supervisor holds it."""
    # a shared lock needs no right to write, so that a read-only disk can be read; a pipe in its place is not waited for
    access = os.O_RDONLY if operation & fcntl.LOCK_SH else os.O_RDWR
    try:
        file = os.open(folder / "lock", access | os.O_NONBLOCK)
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


def running(folder: Path, key: bytes) -> Running:
    """Return the record of a live supervisor; the pid is 0 while it is still starting."""
    run = _read_run(folder, key)
    return Running(run.pid, run.started)


def _read_run(folder: Path, key: bytes) -> _Run:
    content = _unsealed(folder / "run.json", key)
    return typed.from_json(content, _Run) if content else _Run()


def signal_supervisor(folder: Path, key: bytes, number: signal.Signals) -> None:
    """Send a signal to a supervisor, if it lives: never to another process that has got its id since."""
    run = _read_run(folder, key)
    if not run.pid:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform != "linux":
            os.kill(run.pid, number)
            return
        handle = os.pidfd_open(run.pid)
        try:
            # the handle is of one process: if that is the supervisor now, the signal cannot reach another one
            if start_ticks(run.pid) in (run.ticks, 0):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def last_words(folder: Path) -> str:
    """Return the last line that a supervisor printed: why it could not start."""
    lines = atomic.read_or_empty(folder / "supervisor.log")[-_LONGEST_WORDS:].decode("utf-8", "replace").split("\n")
    return next(filter(None, reversed(lines)), "").strip()


def last_status(folder: Path, key: bytes) -> Exit | NotStarted | None:
    """Return how an execution without a supervisor ended; None if that is unknown.

    Then its supervisor was killed before it could write, or another program wrote its record.
    """
    if (folder / "exit.json").exists():
        content = _unsealed(folder / "exit.json", key)
        return typed.from_json(content, Exit) if content else None
    return None if (folder / "run.json").exists() else NotStarted()


def record_lost(folder: Path, key: bytes, why: str) -> tuple[Exit, bool]:
    """Record the end of an execution that is unknown, and kill its processes; it is never a success.

    Returns the record, and whether there was one that its supervisor did not write.
    """
    with lock(folder, fcntl.LOCK_EX):
        if isinstance(status := last_status(folder, key), Exit):
            return status, False  # another process was faster
        was_forged = (folder / "exit.json").exists()
        lost = Exit(
            cause="lost",
            started=running(folder, key).started,
            leftover=processes.kill_marked(str(folder)),
            message="its record was forged" if was_forged else why,
        )
        try:
            atomic.replace(folder / "exit.json", seals.seal(msgspec.json.encode(lost), key))
        except OSError as error:  # on a full disk: whoever asks next finds the same
            if error.errno not in OUT_OF_SPACE:
                raise
        return lost, was_forged


def _unsealed(path: Path, key: bytes) -> bytes | None:
    """Return the content of a record; None if there is none, or if its supervisor did not write it."""
    try:
        file = open_plain(path)
    except OSError:
        return None
    with file:
        return seals.unseal(file.read(_LONGEST_RECORD), key)
