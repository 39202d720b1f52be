"""Undo the last operation, and redo it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.flow import undo as inverse
from gitorch.flow.undo import UndoEntry
from gitorch.git.notes import note_store
from gitorch.model.naming import rescue_ref
from gitorch.model.plan import PlanSession
from gitorch.services import people_only
from gitorch.services.changes import operate
from gitorch.services.merging import remembered
from gitorch.services.plan_approval import conclude_plan, mark_undecided, plan_of_operation, plan_store
from gitorch.services.recovery.operations import conclude_all, operation_lock
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import Operation

_Operations = Callable[[], Iterator[Operation]]


class UndoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo or a redo did: `operation` is its own entry, `target` the one that it inverts.

    `plan` is the plan whose approval was undone or redone, as it is now; `missing` says what could not be restored.
    """

    target: Operation
    operation: Operation
    plan: PlanSession | None = None
    missing: tuple[str, ...] = ()


def undo(workspace: Workspace) -> UndoResult:
    """Undo the last operation: restore refs, notes and tasks as they were before it.

    Raises `Refused`, with nothing moved, if the state cannot be restored exactly.
    """
    people_only.require_person("undo operations")
    return _invert_next(workspace, workspace.operations.undoable, "there is nothing to undo")


def redo(workspace: Workspace) -> UndoResult:
    """Redo what the last undo took back. Not possible after a new operation."""
    people_only.require_person("redo operations")
    return _invert_next(workspace, workspace.operations.redoable, "there is nothing to redo")


def undo_entries(workspace: Workspace, limit: int | None = None) -> tuple[list[UndoEntry], list[UndoEntry]]:
    """Return the operations that `redo` and `undo` would invert, the next first: at most `limit` of each."""
    # without the lock of plans, which could not be taken where nothing can be written
    log = workspace.operations
    redoable, undoable = [list(itertools.islice(source(), limit)) for source in (log.redoable, log.undoable)]
    operations = [*redoable, *undoable]
    sessions = [plan_of_operation(workspace, operation) for operation in operations]
    plans = {plan.id: plan for plan in sessions if plan}
    snapshot = inverse.take_snapshot(workspace.repository, workspace.config, workspace.tasks, operations, plans)
    return inverse.list_entries(redoable, snapshot), inverse.list_entries(undoable, snapshot)


def _invert_next(workspace: Workspace, operations: _Operations, none_left: str) -> UndoResult:
    with plan_store(workspace).lock(), operation_lock(workspace), note_store.lock(workspace.repository):
        conclude_all(workspace)
        operation = next(operations(), None)
        if operation is None:
            raise Refused("nothing-to-undo", none_left, fix=("orchestrate undo --list",))
        plan = plan_of_operation(workspace, operation)
        with workspace.store.lock():
            plans = {plan.id: plan} if plan else {}
            tasks = workspace.store.current()
            snapshot = inverse.take_snapshot(workspace.repository, workspace.config, tasks, [operation], plans)
            if refusal := inverse.why_not(operation, snapshot):
                raise refusal
            if plan and operation.plan:
                names = tuple(change.task for change in operation.changes)
                mark_undecided(workspace, plan, operation.plan.approved_at, names)
            inverted = operate(
                workspace,
                inverse.inverse_kind(operation),
                inverse.inverse_pairs(operation, snapshot),
                inverse.inverse_moves(workspace.repository, operation, snapshot),
                summary=operation.summary,
                folders=inverse.inverse_folders(operation),
                plan=operation.plan if plan else None,
                about=operation,
            )
            assert inverted is not None
        remembered.follow(workspace, inverted)
        plan = conclude_plan(workspace, plan.id) if plan else None
    workspace.store.snapshot_if_due()
    missing = (*_missing(workspace, inverted), *_missing_plan(operation, inverted))
    return UndoResult(target=operation, operation=inverted, plan=plan, missing=missing)


def _missing_plan(target: Operation, inverted: Operation) -> Iterator[str]:
    if target.plan and not inverted.plan:
        yield f"the plan {target.plan.plan} was dropped and is not restored"


def _missing(workspace: Workspace, inverted: Operation) -> Iterator[str]:
    """Yield a message for each log, worktree or file that no longer exists."""
    for folder in inverted.folders:
        if folder.new.startswith("attempts/") and not (workspace.folder / folder.new).exists():
            yield f"the log of {Path(folder.new).name} no longer exists"
    tasks = workspace.tasks
    restored = [tasks[change.task] for change in inverted.changes if change.old is None and change.task in tasks]
    for task in restored:
        if task.worktree and not Path(task.worktree).exists():
            rescue = rescue_ref(task.id)
            saved = f"; its uncommitted files are in {rescue}" if workspace.repository.read_ref(rescue) else ""
            yield f"the worktree of {task.id} no longer exists{saved}"
