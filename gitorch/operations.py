"""The operation log: what a command is about to move, written before it moves it.

git's ref transactions are not atomic against a crash (measured), and the task file is another file than the refs. So
what belongs together is one entry here first; the next command finds an entry that was not closed, and finishes it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from gitorch.model.naming import Oid, Ref, TaskId
from gitorch.model.task import State

_CLOSING = b'{"closed"'
_CLOSING_BYTES = 4096  # more than the line that closes an operation has


class Moved(msgspec.Struct, frozen=True):
    """A ref that an operation moves: from what (None: it did not exist) to what (None: it is deleted)."""

    ref: Ref
    old: Oid | None
    new: Oid | None


class Restated(msgspec.Struct, frozen=True):
    """A task whose state an operation changes."""

    task: TaskId
    old: State
    new: State
    merged_as: Oid | None = None
    reason: str = ""


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One changing command: its refs and tasks, before and after."""

    number: int
    kind: str
    when: datetime
    refs: tuple[Moved, ...] = ()
    tasks: tuple[Restated, ...] = ()


class Closed(msgspec.Struct, frozen=True):
    """An operation that was carried through, or given up with nothing moved."""

    closed: int
    done: bool


class OperationLog:
    """`operations.jsonl`: appended to, never rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, kind: str, refs: tuple[Moved, ...], tasks: tuple[Restated, ...]) -> Operation:
        """Write down what is about to happen, durably, and return it."""
        number = max((entry.number for entry in self._entries() if isinstance(entry, Operation)), default=0) + 1
        operation = Operation(number=number, kind=kind, when=datetime.now(UTC), refs=refs, tasks=tasks)
        self._append(operation)
        return operation

    def close(self, operation: Operation, *, done: bool) -> None:
        """Write down that it happened, or (not `done`) that nothing did."""
        self._append(Closed(operation.number, done))

    @contextmanager
    def turn(self) -> Iterator[IO[str]]:
        """Hold the log for one operation, from its opening to its closing: an open one that nobody holds was cut short.

        Yields the locked file, for git processes to hold too.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name("operations.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def is_settled(self) -> bool:
        """Tell, from the end of the log alone, that nothing in it was left open."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _CLOSING_BYTES))
                last = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
        except FileNotFoundError:
            return True
        return last.startswith(_CLOSING)

    def unfinished(self) -> list[Operation]:
        """Return the operations that a crash cut short, oldest first."""
        entries = list(self._entries())
        closed = {entry.closed for entry in entries if isinstance(entry, Closed)}
        return [entry for entry in entries if isinstance(entry, Operation) and entry.number not in closed]

    def done(self) -> list[Operation]:
        """Return the operations that were carried through, oldest first."""
        entries = list(self._entries())
        closed = {entry.closed for entry in entries if isinstance(entry, Closed) and entry.done}
        return [entry for entry in entries if isinstance(entry, Operation) and entry.number in closed]

    def _entries(self) -> Iterator[Operation | Closed]:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            if line.endswith(b"}\n"):  # a last line that was cut short announces nothing that has happened
                closed = line.startswith(_CLOSING)
                yield msgspec.json.decode(line, type=Closed) if closed else msgspec.json.decode(line, type=Operation)

    def _append(self, entry: Operation | Closed) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            torn = size > 0 and file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
