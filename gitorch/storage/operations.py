"""The operation log: each change is recorded before it is made, for recovery and for `undo`.

git's ref transactions are not atomic against a crash (measured), and tasks are in another file than refs. So changes
that belong together are first written here as one entry. The next command finishes an entry that was not closed.

An undo is an operation itself, the inverse of another one; a redo is the inverse of an undo. The log is only appended
to, and read from its end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import field

from gitorch import regular_files, typed
from gitorch.model.naming import Oid, Ref, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.model.table import field_values, from_table, to_table
from gitorch.model.task import ReasonKind, State, Task
from gitorch.storage import atomic, backwards, locks, own_changes, sizes
from gitorch.storage.digests import digest
from gitorch.storage.tasks.upgrade import as_before, upgraded

FILE = "operations.jsonl"
SUBMIT, UNDO, REDO = "submit", "undo", "redo"

_CLOSING = b'{"closed"'
_CLOSING_BYTES = 4096  # longer than the line that closes an operation
_FORMAT = 1
_NAMED = 3


class StateChange(msgspec.Struct, frozen=True):
    """A change of a task's state."""

    task: TaskId
    old: State
    new: State
    merged_as: Oid | None = None
    reason: str = ""
    reason_kind: ReasonKind | None = None


class TaskChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task before and after an operation.

    `old` and `new` are the fields that differ, as in the task file (None: the task does not exist). `before` and
    `after` are the fingerprints of the whole task.
    """

    task: TaskId
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    before: str = ""
    after: str = ""


class FolderMove(msgspec.Struct, frozen=True):
    """A folder that an operation moves: its old and new path, relative to the state folder unless absolute."""

    old: str
    new: str


class PlanApproval(msgspec.Struct, frozen=True):
    """An approval that an operation makes, undoes or redoes: the plan's id, the time, and the plan's fingerprint."""

    plan: str
    approved_at: datetime = field(name="at")
    fingerprint: str = field(name="print")


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One changing command: its refs, tasks and folders, before and after.

    `summary` describes it; `plan` is the approved plan that its tasks come from. For an undo or a redo, `of` and
    `command` are the number and the kind of the original operation.
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
        """The number of the original operation: not that of its undo or redo."""
        return self.of or self.number

    @property
    def requested_kind(self) -> str:
        """The kind of the original command: not `undo` or `redo`."""
        return self.command or self.kind

    @property
    def is_exact(self) -> bool:
        """Whether the entry has everything that its inverse needs; entries of older versions do not."""
        return self.v == _FORMAT


class OperationEnd(msgspec.Struct, frozen=True):
    """The end of an operation: completed, or abandoned with nothing changed."""

    number: int = field(name="closed")
    is_complete: bool = field(name="done")


Entry = Operation | OperationEnd


def describe(verb: str, tasks: Sequence[Task]) -> str:
    """Describe an operation on tasks: `approve a, b, c and 4 more`."""
    names = ", ".join(task.id for task in tasks[:_NAMED])
    return f"{verb} {names}" + (f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else "")


def fingerprint(value: msgspec.Struct | None) -> str:
    """Return the fingerprint of a whole task or plan, the same as an earlier version's; empty for None."""
    if value is None:
        return ""
    written = as_before(value) if isinstance(value, Task) else value
    content = msgspec.json.encode(written, order="deterministic")
    if b"0.0" in content:
        content = msgspec.json.encode(_without_zeros(msgspec.to_builtins(written, order="deterministic")))
    return digest(content).hex()


def _without_zeros(value: Any) -> Any:
    """Remove zeros: msgspec omits them as defaults or not, depending on where a task was read from."""
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
    """Return a task as it was before a change; `now` is the task after the change."""
    if change.old is None:
        return None
    task = from_table({**(to_table(now) if now else {}), **change.old})
    if now and fingerprint(task) != change.before:  # the change is of a version that knew no kinds of reasons
        task = from_table({**to_table(as_before(now)), **change.old})
    return upgraded(task)


def applied(change: TaskChange, now: Task | None) -> Task | None:
    """Return a task as it is after a change; `now` is the task before the change."""
    return restored(inverse(change), now)


def inverse(change: TaskChange) -> TaskChange:
    """Return the inverse of a change."""
    return TaskChange(task=change.task, old=change.new, new=change.old, before=change.after, after=change.before)


class OperationLog:
    """`operations.jsonl`: appended to, never rewritten.

    A damaged line costs that operation only; `report` receives what is lost with it.
    """

    def __init__(self, path: Path, report: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.report = report
        self._damaged: set[int] = set()

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
        """Record an operation durably before it starts, and return it; `reverts` is the operation that it undoes."""
        last = next((entry.number for entry in self._backwards() if isinstance(entry, Operation)), 0)
        if size := sizes.noted(self.path.parent, self.path.name):
            last = max(last, size.number)  # refs have the numbers of lost operations in their names
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
        sizes.note(self.path.parent, self.path, number=operation.number)
        return operation

    def close(self, operation: Operation, *, is_complete: bool) -> None:
        """Record that an operation is complete, or that it was abandoned with nothing changed.

        Does not wait for the disk: after a power cut, recovery determines the outcome again.
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
        """Return whether the last operation was closed, and the log is as long as it was; reads only its end."""
        if self._missing_bytes():
            return False
        try:
            with os.fdopen(regular_files.open_at_once(self.path), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                if not size:  # it was made, and nothing has begun
                    return True
                file.seek(max(0, size - _CLOSING_BYTES))
                last = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
        except FileNotFoundError:
            return True
        return last.startswith(_CLOSING)

    def accept_cut(self) -> None:
        """Go on with a log whose end is missing; call with the lock held.

        The last operation is among what is missing, so all others were closed.
        """
        if not (missing := self._missing_bytes()):
            return
        size = sizes.noted(self.path.parent, self.path.name)
        for operation in self.unfinished():
            self.close(operation, is_complete=True)
        sizes.note(self.path.parent, self.path, number=size.number if size else 0)
        what = f"{missing} bytes of {self.path.name} were cut off or removed before {datetime.now():%Y-%m-%d %H:%M}"
        self.report(f"{what}: the operations in them cannot be undone")

    def _missing_bytes(self) -> int:
        return sizes.missing_bytes(self.path.parent, self.path.name)

    def unfinished(self) -> list[Operation]:
        """Return the operations that a crash interrupted, oldest first.

        Each operation first finishes earlier ones, so none precedes the last closed one.
        """
        operations: list[Operation] = []
        for entry in self._backwards():
            if isinstance(entry, OperationEnd):
                break
            operations.append(entry)
        return operations[::-1]

    def completed(self) -> Iterator[Operation]:
        """Yield the completed operations, newest first."""
        closed: dict[int, bool] = {}
        for entry in self._backwards():
            if isinstance(entry, OperationEnd):
                closed.setdefault(entry.number, entry.is_complete)
            elif closed.pop(entry.number, False):
                yield entry

    def last_of_plan(self, plan: str, approved_at: datetime) -> Operation | None:
        """Return the last operation on a plan's approval (approve, undo or redo); None if there is none.

        Reads the log back to that operation.
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
        """Yield the operations that repeated `undo` reverts, in that order: those that are not undone yet."""
        undone = 0
        for operation in self.completed():
            if operation.kind == UNDO:
                undone += 1
            elif undone:
                undone -= 1
            else:
                yield operation

    def redoable(self) -> Iterator[Operation]:
        """Yield the undos that repeated `redo` reverts, in that order: none after a new operation."""
        redone = 0
        for operation in self.completed():
            if operation.kind == REDO:
                redone += 1
            elif operation.kind != UNDO:
                return
            elif redone:
                redone -= 1
            else:
                yield operation

    def is_taken_back(self, ref: Ref, tip: Oid) -> bool:
        """Return whether the last operation that moved a ref to this commit has been undone.

        Reads the log back to that operation.
        """
        latest: dict[int, str] = {}
        for operation in self.completed():
            if operation.kind in (UNDO, REDO):
                latest.setdefault(operation.of, operation.kind)
            elif any(update.ref == ref and update.new == tip for update in operation.refs):
                return latest.get(operation.number) == UNDO
        return False

    def _backwards(self) -> Iterator[Entry]:
        """Yield the entries, newest first.

        A line that a killed writer left incomplete is skipped: its operation has not started.
        """
        for offset, line in backwards.lines(self.path):
            if line.endswith(atomic.TORN):
                continue
            try:
                entry = _entry(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._report_damaged_line(offset)
                continue
            yield entry

    def _report_damaged_line(self, offset: int) -> None:
        self._damaged.add(offset)
        lines = f"the line at byte {offset} is" if len(self._damaged) <= _NAMED else "more lines are"
        self.report(f"{self.path.name}: {lines} damaged: what is in it cannot be undone")

    def _append(self, entry: Entry, *, durable: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with own_changes.writing(self.path.parent, self.path):
            atomic.append(self.path, [msgspec.json.encode(entry)], durable=durable)


def _entry(line: bytes) -> Entry:
    is_end = line.startswith(_CLOSING)
    return typed.from_json(line, OperationEnd) if is_end else typed.from_json(line, Operation)
