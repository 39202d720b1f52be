"""The operation log: what a command is about to change, written before it changes it; and what `undo` takes back.

git's ref transactions are not atomic against a crash (measured), and the task file is another file than the refs. So
what belongs together is one entry here first; the next command finds an entry that was not closed, and finishes it.

An undo is an operation of its own, the inverse of another; so is a redo, the inverse of an undo. The log is only
appended to, and read from its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import field

from gitorch.errors import InvalidInput
from gitorch.model.naming import Oid, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.model.table import field_values, from_table, to_table
from gitorch.model.task import State, Task
from gitorch.storage import atomic, locks

SUBMIT, UNDO, REDO = "submit", "undo", "redo"

_CLOSING = b'{"closed"'
_CLOSING_BYTES = 4096  # more than the line that closes an operation has
_BLOCK = 65_536
_FORMAT = 1
_NAMED = 3


class StateChange(msgspec.Struct, frozen=True):
    """A task whose state an operation is to change."""

    task: TaskId
    old: State
    new: State
    merged_as: Oid | None = None
    reason: str = ""


class TaskChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task before and after an operation.

    `old` and `new` are the fields that differ, as the task file writes them (None: there is no such task); `before` and
    `after` the fingerprints of the whole task, by which it is known again.
    """

    task: TaskId
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    before: str = ""
    after: str = ""


class FolderMove(msgspec.Struct, frozen=True):
    """A folder within gitorch's own that an operation moves: its name before and after."""

    old: str
    new: str


class PlanApproval(msgspec.Struct, frozen=True):
    """A plan whose approval an operation is, takes back or brings back: its id, when it was approved, and its print."""

    plan: str
    approved_at: datetime = field(name="at")
    print: str


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One changing command: its refs, tasks and folders, before and after.

    `said` is what it does in words; `plan` is the one that its tasks come of. Of an undo or a redo, `of` and `command`
    are the number and the kind of the command's own operation.
    """

    number: int
    kind: str
    created: datetime = field(name="when")
    v: int = 0
    summary: str = field(default="", name="said")
    refs: tuple[RefUpdate, ...] = ()
    changes: tuple[TaskChange, ...] = ()
    folders: tuple[FolderMove, ...] = ()
    plan: PlanApproval | None = None
    of: int = 0
    command: str = ""

    @property
    def origin(self) -> int:
        """The number of the command's own operation: not that of its undo or redo."""
        return self.of or self.number

    @property
    def requested_kind(self) -> str:
        """The command's own kind, in the same way."""
        return self.command or self.kind

    @property
    def is_exact(self) -> bool:
        """Whether the entry holds all that its inverse needs: those of older versions do not."""
        return self.v == _FORMAT


class OperationEnd(msgspec.Struct, frozen=True):
    """An operation that was carried through, or given up with nothing moved."""

    number: int = field(name="closed")
    is_complete: bool = field(name="done")


Entry = Operation | OperationEnd


def describe(verb: str, tasks: Sequence[Task]) -> str:
    """Return in words what is done to tasks: `approve a, b, c and 4 more`."""
    names = ", ".join(task.id for task in tasks[:_NAMED])
    return f"{verb} {names}" + (f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else "")


def fingerprint(value: msgspec.Struct | None) -> str:
    """Return what a task (or a plan) as a whole is known again by; empty text for none."""
    if value is None:
        return ""
    import hashlib

    builtins = _without_zeros(msgspec.to_builtins(value, order="deterministic"))
    return hashlib.blake2b(msgspec.json.encode(builtins), digest_size=16).hexdigest()


def _without_zeros(value: Any) -> Any:
    """Leave out numbers that msgspec takes for a default or not, depending on where they were read."""
    if isinstance(value, dict):
        return {key: _without_zeros(item) for key, item in value.items() if not (isinstance(item, float) and item == 0)}
    return [_without_zeros(item) for item in value] if isinstance(value, list) else value


def difference(old: Task | None, new: Task | None) -> TaskChange:
    """Return how a task changes."""
    before, after = field_values(old) if old else {}, field_values(new) if new else {}
    names = [name for name in after or before if before.get(name, ...) != after.get(name, ...)]
    return TaskChange(
        task=(after or before)["id"],
        old=msgspec.to_builtins({name: before[name] for name in names}) if before else None,
        new=msgspec.to_builtins({name: after[name] for name in names}) if after else None,
        before=fingerprint(old),
        after=fingerprint(new),
    )


def restored(change: TaskChange, now: Task | None) -> Task | None:
    """Return a task as it was before a change; `now` is the task as it is after it."""
    if change.old is None:
        return None
    return from_table({**(to_table(now) if now else {}), **change.old})


def applied(change: TaskChange, now: Task | None) -> Task | None:
    """Return a task as it is after a change; `now` is the task as it is before it."""
    return restored(inverse(change), now)


def inverse(change: TaskChange) -> TaskChange:
    """Return the change that takes a change back."""
    return TaskChange(task=change.task, old=change.new, new=change.old, before=change.after, after=change.before)


class OperationLog:
    """`operations.jsonl`: appended to, never rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(
        self,
        kind: str,
        refs: Sequence[RefUpdate],
        changes: Sequence[TaskChange],
        *,
        summary: str = "",
        folders: Sequence[FolderMove] = (),
        plan: PlanApproval | None = None,
        reverts: Operation | None = None,
    ) -> Operation:
        """Write down what is about to happen, durably, and return it; `reverts` is what it takes back."""
        last = next((entry.number for entry in self._backwards() if isinstance(entry, Operation)), 0)
        operation = Operation(
            number=last + 1,
            kind=kind,
            created=datetime.now(UTC),
            v=_FORMAT,
            summary=summary or kind,
            refs=tuple(refs),
            changes=tuple(changes),
            folders=tuple(folders),
            plan=plan,
            of=reverts.origin if reverts else 0,
            command=reverts.requested_kind if reverts else "",
        )
        self._append(operation, durable=True)
        return operation

    def close(self, operation: Operation, *, is_complete: bool) -> None:
        """Write down that it happened, or (not `done`) that nothing did.

        Not waited for until it is on disk: what a power cut takes is found out again.
        """
        self._append(OperationEnd(operation.number, is_complete), durable=False)

    @contextmanager
    def lock(self) -> Iterator[IO[str]]:
        """Lock the log for one operation, from opening to closing: an open one without a holder was interrupted.

        Yields the locked file, so that git processes can hold it as well.
        """
        with locks.file_lock(self.path.with_name("operations.lock")) as file:
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
        """Return the operations that a crash cut short, oldest first.

        Each operation sees to those before it, so there is none before the last one that was closed.
        """
        operations: list[Operation] = []
        for entry in self._backwards():
            if isinstance(entry, OperationEnd):
                break
            operations.append(entry)
        return operations[::-1]

    def completed(self) -> Iterator[Operation]:
        """Yield the operations that were carried through, the last one first."""
        closed: dict[int, bool] = {}
        for entry in self._backwards():
            if isinstance(entry, OperationEnd):
                closed.setdefault(entry.number, entry.is_complete)
            elif closed.pop(entry.number, False):
                yield entry

    def last_of_plan(self, plan: str, approved_at: datetime) -> Operation | None:
        """Return what made, took back or brought back a plan's approval of a moment last; None where nothing did.

        Reads as much of the log as was written since.
        """
        return next(
            (
                operation
                for operation in self.completed()
                if operation.plan and (operation.plan.plan, operation.plan.approved_at) == (plan, approved_at)
            ),
            None,
        )

    def undoable(self) -> Iterator[Operation]:
        """Yield what repeated `undo` takes back, in that order: operations that no undo has taken back already."""
        taken_back = 0
        for operation in self.completed():
            if operation.kind == UNDO:
                taken_back += 1
            elif taken_back:
                taken_back -= 1
            else:
                yield operation

    def redoable(self) -> Iterator[Operation]:
        """Yield the undos that repeated `redo` takes back, in that order: none once something new was done."""
        brought_back = 0
        for operation in self.completed():
            if operation.kind == REDO:
                brought_back += 1
            elif operation.kind != UNDO:
                return
            elif brought_back:
                brought_back -= 1
            else:
                yield operation

    def _backwards(self) -> Iterator[Entry]:
        """Yield the entries, the last one first. A line that was cut short announces nothing that has happened."""
        for line in _lines_backwards(self.path):
            try:
                entry = _closed(line) if line.startswith(_CLOSING) else msgspec.json.decode(line, type=Operation)
            except msgspec.ValidationError as error:
                fix = (f"mv {self.path} {self.path}.damaged",)
                raise InvalidInput("operations-log", f"{self.path.name}: {error}", fix=fix) from error
            except msgspec.DecodeError:
                continue
            yield entry

    def _append(self, entry: Entry, *, durable: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.append(self.path, [msgspec.json.encode(entry)], durable=durable)


def _closed(line: bytes) -> Entry:
    return msgspec.json.decode(line, type=OperationEnd)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last one first, reading no more of it than is asked for."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        parts: list[bytes] = []  # the blocks of a line whose beginning is not read yet, the last one first
        is_complete = False
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            *lines, last = reversed(file.read(end - start).split(b"\n"))
            for piece in lines:
                parts.append(piece)
                line = b"".join(reversed(parts))
                parts = []
                if is_complete and line:
                    yield line
                is_complete = True
            parts.append(last)
            end = start
        if is_complete and (line := b"".join(reversed(parts))):
            yield line
