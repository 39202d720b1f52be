"""Finish or roll back the operations that a killed command left open."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from gitorch.git import lockfiles
from gitorch.git.notes import note_store
from gitorch.model.refs import RefUpdate
from gitorch.services.operation_steps import finish, move_refs, roll_back, user_refs
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import Operation, fingerprint

_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def operation_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the operation log: one changing command at a time."""
    with workspace.operations.lock() as lock, workspace.repository.inherit_lock(lock, all_threads=False):
        yield


def recover(workspace: Workspace) -> list[str]:
    """Finish the operations of killed commands; return a message for each."""
    if lockfiles.may_be_stale(workspace.repository):
        _remove_note_locks(workspace)
    if workspace.operations.is_settled():
        return []
    try:
        with operation_lock(workspace):
            return conclude_all(workspace)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        # commands that only read work all the same; others refuse at their own first write
        return [f"the last operation was interrupted, and cannot be finished: {error.strerror}"]


def conclude_all(workspace: Workspace) -> list[str]:
    """Conclude all open operations; call with the operation lock held."""
    messages = []
    workspace.operations.accept_cut()
    for operation in workspace.operations.unfinished():
        _remove_ref_locks(workspace, operation)
        outcome = "finished now" if conclude(workspace, operation) else "rolled back"
        messages.append(f"{operation.kind} was interrupted: {outcome}")
    return messages


def conclude(workspace: Workspace, operation: Operation) -> bool:
    """Finish or roll back an interrupted operation; return whether it was finished.

    It is finished if some refs have moved, and rolled back if none has, or if another command has changed one of its
    tasks since.
    """
    moves = _real_moves(operation)
    with workspace.store.lock():
        tips = workspace.repository.refs(*(move.ref for move in moves)) if moves else {}
        pending = [move for move in moves if tips.get(move.ref) == move.old]
        finished_moves = [move for move in moves if tips.get(move.ref) == move.new]
        tasks = workspace.store.current()
        fingerprints = [(fingerprint(tasks.get(change.task)), change) for change in operation.changes]
        if any(current == change.after for current, change in fingerprints):
            workspace.operations.close(operation, is_complete=True)  # tasks are saved last
            return True
        overtaken = any(current != change.before for current, change in fingerprints)
        if not finished_moves or (overtaken and len(finished_moves) + len(pending) == len(moves)):
            roll_back(workspace, operation, finished_moves)
            return False
        # git's ref transactions are not atomic across a crash: move the remaining refs now
        move_refs(workspace, pending, f"finish {operation.kind}")
        finish(workspace, operation)
        return True


def _real_moves(operation: Operation) -> list[RefUpdate]:
    return [update for update in operation.refs if update.new != update.old]


def _remove_note_locks(workspace: Workspace) -> None:
    """Remove the locks of a git that was killed while it built notes."""
    with note_store.lock(workspace.repository):
        lockfiles.remove_stale(workspace.repository, [lockfiles.SCRATCH], deleted=[lockfiles.SCRATCH])


def _remove_ref_locks(workspace: Workspace, operation: Operation) -> None:
    """Remove the locks of a git that was killed while it moved the refs of an operation."""
    moves = _real_moves(operation)
    lockfiles.remove_stale(
        workspace.repository,
        [move.ref for move in moves],
        deleted=[move.ref for move in moves if move.new is None],
        users=user_refs(workspace, moves),
    )
