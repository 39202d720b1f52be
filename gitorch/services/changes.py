"""Commit one operation: refs, notes and tasks change together, or nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.errors import GitorchError
from gitorch.git.notes import note_store
from gitorch.git.repository import RefsMoved
from gitorch.model import note
from gitorch.model.naming import Oid
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Task, change, promote
from gitorch.services import people_only
from gitorch.services.operation_steps import finish, move_refs, require_checkouts_ready
from gitorch.services.recovery.operations import conclude, conclude_all, operation_lock
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import FolderMove, Operation, PlanApproval, StateChange, difference
from gitorch.storage.tasks import Pair, task_moved

_TRIES = 20


def change_tasks(
    workspace: Workspace, kind: str, pairs: Sequence[Pair], summary: str, plan: PlanApproval | None = None
) -> list[Task]:
    """Change only tasks, as one operation; return the current tasks."""
    with operation_lock(workspace):
        operate(workspace, kind, pairs, summary=summary, plan=plan)
    return _current(workspace, pairs)


def change_with_notes(
    workspace: Workspace,
    kind: str,
    pairs: Sequence[Pair],
    lines: Mapping[Oid, Sequence[note.Line]],
    summary: str,
    moves: Sequence[RefUpdate] = (),
) -> list[Task]:
    """Change tasks, append lines to the notes of commits and move refs, as one operation.

    Other processes may write notes at the same time: their lines are kept.
    """
    for remaining in reversed(range(_TRIES)):
        try:
            with operation_lock(workspace), note_store.lock(workspace.repository):
                noted = note_store.build(workspace.repository, lines) if lines else []
                operate(workspace, kind, pairs, [*moves, *noted], summary=summary)
                break
        except RefsMoved:
            if not remaining:
                raise
    return _current(workspace, pairs)


def move_refs_and_states(
    workspace: Workspace, kind: str, moves: Sequence[RefUpdate], state_changes: Sequence[StateChange], summary: str
) -> None:
    """Move refs and change task states, all or nothing; call with the operation lock held."""
    pairs = [pair for item in state_changes if (pair := _state_change_pair(workspace, item))]
    operate(workspace, kind, pairs, moves, summary=summary)


def operate(
    workspace: Workspace,
    kind: str,
    pairs: Sequence[Pair],
    moves: Sequence[RefUpdate] = (),
    *,
    summary: str,
    folders: Sequence[FolderMove] = (),
    plan: PlanApproval | None = None,
    about: Operation | None = None,
) -> Operation | None:
    """Change tasks (pairs of the task as read and the new one) and move refs: all or nothing.

    Returns the operation; None if nothing changes. A ref with equal old and new values is logged and not moved. Call
    with the operation lock held. Raises `TaskMoved` or `RefsMoved`, with nothing changed, if another command came
    first.
    """
    people_only.require_person(f"change tasks ({kind})")
    if not workspace.operations.is_settled():
        conclude_all(workspace)
    with workspace.store.lock():
        rebased = workspace.store.rebased(pairs)
        require_checkouts_ready(workspace, moves)
        changes = [difference(current, new) for current, new in rebased if current != new]
        if not (changes or moves):
            return None
        log = workspace.operations
        operation = log.open(kind, moves, changes, summary=summary, folders=folders, plan=plan, reverts=about)
        try:
            move_refs(workspace, [move for move in moves if move.old != move.new], summary)
        except GitorchError:
            if not conclude(workspace, operation):
                raise
        else:
            finish(workspace, operation)
        return operation


def _current(workspace: Workspace, pairs: Sequence[Pair]) -> list[Task]:
    tasks = workspace.store.current()
    return [tasks[new.id] for _, new in pairs if new is not None]


def _state_change_pair(workspace: Workspace, item: StateChange) -> Pair | None:
    task = workspace.store.current().get(item.task)
    if task is None or task.state is not item.old:
        raise task_moved(item.task, task)
    if item.new is item.old:
        if not item.merged_as:
            return (task, change(task, reason=item.reason, reason_kind=item.reason_kind)) if item.reason else None
        # the integration branch was replayed: a merged task has a new commit
        return task, change(task, merged_as=item.merged_as)
    changed = change(
        promote(task, item.new),
        state=item.new,
        reason=item.reason,
        reason_kind=item.reason_kind,
        merged_as=item.merged_as,
    )
    return task, changed
