"""The answers of `undo` and `redo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, Timestamp, timestamp
from gitorch.cli.schema.plan import PlanState, plan_state
from gitorch.cli.schema.task import TaskJson
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.services.undo import UndoResult
    from gitorch.storage.operations import Operation


class OperationJson(msgspec.Struct, frozen=True, kw_only=True):
    """A command that changed something."""

    number: int
    kind: str
    """The command."""
    description: str = msgspec.field(name="what")
    """What it did."""
    time: Timestamp = msgspec.field(name="when")
    tasks: list[str]

    @classmethod
    def of(cls, operation: Operation) -> OperationJson:
        """Return an operation."""
        return cls(**operation_fields(operation))


class PastOperationJson(OperationJson, frozen=True, kw_only=True):
    """An operation in the list of those that can be undone or redone."""

    possible: bool
    obstacle: str | None = msgspec.field(name="why")
    """Why it cannot be undone or redone."""

    @classmethod
    def of(cls, operation: Operation, obstacle: str = "", *, possible: bool = True) -> PastOperationJson:
        """Return an operation; `obstacle` says why it cannot be undone or redone."""
        return cls(**operation_fields(operation), possible=possible, obstacle=obstacle or None)


class RefMoveJson(msgspec.Struct, frozen=True, kw_only=True):
    """A ref that moved."""

    ref: str
    before: str | None
    """Null when it did not exist."""
    after: str | None
    """Null when it no longer exists."""


class PlanStateJson(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, and whether it is approved now."""

    id: str
    state: PlanState


class UndoFields(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo or a redo did."""

    operation: OperationJson
    """The operation that was undone or redone."""
    tasks: list[TaskJson]
    """The tasks that changed, as they are now."""
    removed: list[str]
    """Ids of tasks that no longer exist."""
    refs: list[RefMoveJson]
    missing: list[str]
    """What could not be restored."""
    plan: PlanStateJson | Absent = msgspec.UNSET
    """The plan whose approval was undone or redone."""


class UndoAnswer(UndoFields, JsonAnswer, tag="gitorch/undo/1", frozen=True, kw_only=True):
    """What `undo` did."""

    @classmethod
    def of(cls, result: UndoResult, tasks: Mapping[Any, Task]) -> UndoAnswer:
        """Return the answer for an undo; `tasks` are all tasks, by id."""
        return cls(**undo_fields(result, tasks))


class RedoAnswer(UndoFields, JsonAnswer, tag="gitorch/redo/1", frozen=True, kw_only=True):
    """What `redo` did."""

    @classmethod
    def of(cls, result: UndoResult, tasks: Mapping[Any, Task]) -> RedoAnswer:
        """Return the answer for a redo; `tasks` are all tasks, by id."""
        return cls(**undo_fields(result, tasks))


class UndoListAnswer(JsonAnswer, tag="gitorch/undo/1", frozen=True, kw_only=True):
    """The answer of `undo --list`, the latest first."""

    operations: list[PastOperationJson]
    """What can be undone."""
    undone: list[PastOperationJson]
    """What can be redone."""
    has_more: bool = msgspec.field(name="more")
    """Whether there are more than are listed."""


def operation_fields(operation: Operation) -> dict[str, Any]:
    """Return the fields of an operation, for the structs that hold them."""
    return {
        "number": operation.origin,
        "kind": operation.requested_kind,
        "description": operation.summary,
        "time": timestamp(operation.created),
        "tasks": [change.task for change in operation.changes],
    }


def undo_fields(result: UndoResult, tasks: Mapping[Any, Task]) -> dict[str, Any]:
    """Return the fields that the answers of `undo` and `redo` share."""
    changed = [change.task for change in result.operation.changes]
    plan = result.plan
    return {
        "operation": OperationJson.of(result.target),
        "tasks": [TaskJson.of(tasks[name]) for name in changed if name in tasks],
        "removed": [name for name in changed if name not in tasks],
        "refs": [
            RefMoveJson(ref=move.ref, before=move.old, after=move.new)
            for move in result.operation.refs
            if move.old != move.new
        ],
        "missing": list(result.missing),
        "plan": PlanStateJson(id=plan.id, state=plan_state(plan)) if plan else msgspec.UNSET,
    }
