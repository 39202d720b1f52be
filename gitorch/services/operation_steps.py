"""The steps of an operation between its log entries: move refs, update checkouts, move folders, save tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gitorch.errors import GitorchError
from gitorch.git import lockfiles
from gitorch.git.worktrees import checkouts
from gitorch.git.worktrees.worktree_trash import Move, carry_out
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.services.branches.own_branches import is_own_branch
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import FolderMove, Operation, applied, fingerprint


def move_refs(workspace: Workspace, moves: Sequence[RefUpdate], message: str) -> None:
    """Move refs, all or none. An error names the lock file of another git process."""
    try:
        workspace.repository.update_refs(moves, message)
    except GitorchError as error:
        raise lockfiles.explain(workspace.repository, error, moves, user_refs(workspace, moves)) from error


def user_refs(workspace: Workspace, moves: Iterable[RefUpdate]) -> list[Ref]:
    """Return those of the moved refs that are user branches."""
    return [ref for ref, _, _ in _user_moves(workspace, moves)]


def require_checkouts_ready(workspace: Workspace, moves: Iterable[RefUpdate]) -> None:
    """Raise `Refused` if a branch would move whose checkout could not be updated: a user's, or a task's worktree."""
    for ref, old, new in _followed_moves(workspace, moves):
        checkouts.require_ready(workspace.repository, ref, old, new)


def finish(workspace: Workspace, operation: Operation) -> None:
    """Do the steps after the refs (checkouts of user branches, folders, tasks), and close the operation."""
    _update_checkouts(workspace, operation.refs)
    _move_folders(workspace, operation.folders)
    tasks = workspace.store.current()
    # keep a task that another command has changed since a crash
    changes = [change for change in operation.changes if fingerprint(tasks.get(change.task)) == change.before]
    results = [(change.task, applied(change, tasks.get(change.task))) for change in changes]
    workspace.store.save(
        [task for _, task in results if task is not None], dropped=[name for name, task in results if task is None]
    )
    workspace.operations.close(operation, is_complete=True)


def roll_back(workspace: Workspace, operation: Operation, finished_moves: Sequence[RefUpdate]) -> None:
    """Undo the finished ref moves and the folder moves of an operation, and close it as not carried out."""
    moves = [RefUpdate(move.ref, move.old, move.new) for move in finished_moves]
    move_refs(workspace, moves, f"give up {operation.kind}")
    _update_checkouts(workspace, moves)
    _move_folders(workspace, [FolderMove(folder.new, folder.old) for folder in operation.folders])
    workspace.operations.close(operation, is_complete=False)


def _user_moves(workspace: Workspace, moves: Iterable[RefUpdate]) -> Iterator[tuple[Ref, Oid, Oid]]:
    """Yield the moves of user branches, which come from `merge --into`."""
    for move in moves:
        branch = move.ref.removeprefix("refs/heads/")
        if (
            branch != move.ref
            and move.old
            and move.new
            and not is_own_branch(workspace.config, workspace.tasks, branch)
        ):
            yield move.ref, move.old, move.new


def _followed_moves(workspace: Workspace, moves: Iterable[RefUpdate]) -> Iterator[tuple[Ref, Oid, Oid]]:
    """Yield the moves of branches that checkouts follow: those of user branches, and of the branches of tasks."""
    moves = list(moves)
    yield from _user_moves(workspace, moves)
    branches = {branch_ref(task.branch) for task in workspace.tasks.values() if task.branch and not task.adopted}
    yield from ((move.ref, move.old, move.new) for move in moves if move.ref in branches and move.old and move.new)


def _update_checkouts(workspace: Workspace, moves: Iterable[RefUpdate]) -> None:
    """Update the checkouts of branches to where these have moved."""
    for ref, old, new in _followed_moves(workspace, moves):
        if old != new:
            for path in checkouts.fast_forward(workspace.repository, ref, old, new):
                workspace.store.notices.append(f"{path} was changed meanwhile and was not updated")


def _move_folders(workspace: Workspace, folders: Sequence[FolderMove]) -> None:
    carry_out(Move(workspace.folder / folder.old, workspace.folder / folder.new) for folder in folders)
