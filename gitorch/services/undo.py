"""Take back the last operation, and bring it back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.flow import undo as inverse
from gitorch.flow.undo import Past
from gitorch.git import notes
from gitorch.model.naming import rescue_ref
from gitorch.model.plan import PlanSession
from gitorch.services.changes import operate
from gitorch.services.plan_approval import conclude_plan, mark_undecided, plan_of_operation, plan_store
from gitorch.services.recovery import conclude_all, operation_lock, recover
from gitorch.services.workspace import Workspace
from gitorch.storage import trust
from gitorch.storage.operations import Operation

_Operations = Callable[[], Iterator[Operation]]


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo or a redo did: the operation that it was about, its own, and what it could not bring back.

    `plan` is the one whose approval was taken back or brought back, as it is now.
    """

    about: Operation
    made: Operation
    plan: PlanSession | None = None
    missing: tuple[str, ...] = ()


def undo(workspace: Workspace) -> TakenBack:
    """Take the last operation back: refs, notes and tasks as they were before it.

    Raises `Refused`, with nothing moved, where that cannot be done exactly, and says why.
    """
    trust.require_person("take operations back")
    return _take_back(workspace, workspace.operations.undoable, "there is nothing to take back")


def redo(workspace: Workspace) -> TakenBack:
    """Bring back what the last undo took back; nothing once something new was done."""
    trust.require_person("bring operations back")
    return _take_back(workspace, workspace.operations.redoable, "there is nothing to bring back")


def undo_entries(workspace: Workspace, most: int | None = None) -> tuple[list[Past], list[Past]]:
    """Return what `redo` and what `undo` would take back, the next first: at most `most` of each."""
    log = workspace.operations
    with plan_store(workspace).lock():
        recover(workspace)
        redoable, undoable = [list(itertools.islice(listed(), most)) for listed in (log.redoable, log.undoable)]
        every = [*redoable, *undoable]
        found = [plan_of_operation(workspace, operation) for operation in every]
        plans = {plan.id: plan for plan in found if plan}
    snapshot = inverse.scene(workspace.repository, workspace.config, workspace.tasks, every, plans)
    return inverse.past(redoable, snapshot), inverse.past(undoable, snapshot)


def _take_back(workspace: Workspace, operations: _Operations, nothing: str) -> TakenBack:
    with plan_store(workspace).lock(), operation_lock(workspace), notes.lock(workspace.repository):
        conclude_all(workspace)
        operation = next(operations(), None)
        if operation is None:
            raise Refused("nothing-to-undo", nothing, fix=("orchestrate undo --list",))
        plan = plan_of_operation(workspace, operation)
        with workspace.store.held():
            plans = {plan.id: plan} if plan else {}
            tasks = workspace.store.current()
            snapshot = inverse.scene(workspace.repository, workspace.config, tasks, [operation], plans)
            if refusal := inverse.obstacle(operation, snapshot):
                raise refusal
            if plan and operation.plan:
                names = tuple(change.task for change in operation.changes)
                mark_undecided(workspace, plan, operation.plan.at, names)
            made = operate(
                workspace,
                inverse.inverse_kind(operation),
                inverse.inverse_pairs(operation, snapshot),
                inverse.inverse_moves(workspace.repository, operation, snapshot),
                summary=operation.said,
                folders=inverse.inverse_folders(operation),
                plan=operation.plan if plan else None,
                about=operation,
            )
            assert made is not None
        plan = conclude_plan(workspace, plan.id) if plan else None
    workspace.store.snapshot_if_due()
    missing = (*_missing(workspace, made), *_missing_plan(operation, made))
    return TakenBack(about=operation, made=made, plan=plan, missing=missing)


def _missing_plan(operation: Operation, made: Operation) -> Iterator[str]:
    if operation.plan and not made.plan:
        yield f"the plan {operation.plan.plan} was dropped, and stays so"


def _missing(workspace: Workspace, made: Operation) -> Iterator[str]:
    """Yield a message for each thing that was neither refs, notes nor tasks, and is gone."""
    for folder in made.folders:
        if not (workspace.folder / folder.new).exists():
            yield f"what {Path(folder.new).name} printed is no longer there"
    tasks = workspace.tasks
    restored = [tasks[change.task] for change in made.changes if change.old is None and change.task in tasks]
    for task in restored:
        if task.worktree and not Path(task.worktree).exists():
            rescue = rescue_ref(task.id)
            saved = f"; its uncommitted files are in {rescue}" if workspace.repository.read_ref(rescue) else ""
            yield f"the worktree of {task.id} is gone{saved}"
