"""Clean up closed tasks: worktrees, branches and logs."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import msgspec

from gitorch.config import seconds
from gitorch.git import worktrees
from gitorch.git.worktree_trash import TRASH, expire, new_stamp, removal
from gitorch.model import naming
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task
from gitorch.rooms.paths import worktree_path
from gitorch.services import guard
from gitorch.services.changes import operate
from gitorch.services.recovery import operation_lock
from gitorch.services.relocation import follow_worktrees
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import FolderMove, describe


def removable(workspace: Workspace) -> list[Task]:
    """Return the tasks that `cleanup` would remove: merged and rejected ones that no other task waits for."""
    tasks = workspace.tasks.values()
    closed = {task.id: task for task in tasks if task.state in (State.MERGED, State.REJECTED)}
    needed = {name for task in tasks if task.id not in closed for name in task.spec.after}
    return [task for name, task in closed.items() if name not in needed]


class RemovalProof(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is no longer needed; without `is_proven`, why it stays. `commit` is what it was merged as."""

    task: TaskId
    text: str
    commit: Oid | None = None
    is_proven: bool = True


def proofs(workspace: Workspace, tasks: Sequence[Task]) -> list[RemovalProof]:
    """Return for each closed task what proves that it can go: its merged commit on a branch, or its rejection."""
    merged = [task.merged_as for task in tasks if task.merged_as]
    on_branches = _on_branches(workspace, merged) if merged else set()
    same_tree = _with_same_tree(workspace, [(task.tip, task.merged_as) for task in tasks])
    return [_proof(task, on_branches, same_tree) for task in tasks]


def _on_branches(workspace: Workspace, commits: Sequence[Oid]) -> set[Oid]:
    """Return those of these commits that are on the integration branch, or on a branch or tag of the user's."""
    repository, integration = workspace.repository, workspace.repository.resolve(workspace.config.integration)
    existing = {oid for oid in repository.object_ids(*commits) if oid}
    if not existing:
        return set()
    branches = (f"--exclude={workspace.config.prefix}*", "--branches", "--remotes", "--tags")
    bounds = ("--not", *branches, *([integration] if integration else ()))
    request = "".join(f"{commit}\n" for commit in existing).encode()
    return existing - {*map(Oid, repository.git("rev-list", "--stdin", *bounds, input=request).text.split())}


def _with_same_tree(workspace: Workspace, pairs: Sequence[tuple[Oid | None, Oid | None]]) -> set[Oid]:
    """Return the second of each pair of commits that have the same tree."""
    complete = [(tip, merged) for tip, merged in pairs if tip and merged]
    names = [f"{commit}^{{tree}}" for pair in complete for commit in pair]
    trees = workspace.repository.object_ids(*names) if names else []
    compared = zip(complete, trees[::2], trees[1::2], strict=True)
    return {merged for (_, merged), tree, merged_tree in compared if tree and tree == merged_tree}


def _proof(task: Task, on_branches: Container[str], same_tree: Container[str]) -> RemovalProof:
    if task.state is State.REJECTED or not task.merged_as:
        is_empty = task.commits is None or task.tip == task.base
        return RemovalProof(task=task.id, text=f"{task.state}, {'empty' if is_empty else 'its commits stay in a ref'}")
    commit = task.merged_as
    if commit not in on_branches:
        return RemovalProof(
            task=task.id, text=f"stays: {commit[:12]} is on no branch any more", commit=commit, is_proven=False
        )
    same = ", the same tree" if commit in same_tree else ""
    return RemovalProof(task=task.id, text=f"merged as {commit[:12]}{same}", commit=commit)


def cleanup(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Task]:
    """Remove worktrees and branches of closed tasks, and the tasks from the file, yielding each.

    Nothing is deleted. Uncommitted files go to a rescue point, worktrees and logs to the trash, and the branch's
    commits stay under `refs/gitorch/trash/`.
    """
    guard.require_person("clean up")
    follow_worktrees(workspace)
    tasks = [workspace.tasks[task.id] for task in tasks]
    workspace.store.notices.extend(empty_trash(workspace))
    for task in tasks:
        _rescue(workspace, task)
    stamp = new_stamp()
    pairs = [(task, None) for task in tasks]
    with operation_lock(workspace), worktrees.lock(workspace.repository):
        folders = [move for task in tasks for move in _folder_moves(workspace, task, stamp)]
        moves = _trash(workspace, tasks, stamp)
        operate(workspace, "cleanup", pairs, moves, summary=describe("clean up", tasks), folders=folders)
    yield from tasks
    workspace.store.snapshot()


def _rescue(workspace: Workspace, task: Task) -> None:
    worktree = worktrees.find(workspace.repository, Path(task.worktree)) if task.worktree else None
    if worktree is not None:
        ref = naming.rescue_ref(task.id)
        worktrees.rescue(workspace.repository, worktree, ref, f"uncommitted files of {task.id}", complete=True)


def _folder_moves(workspace: Workspace, task: Task, stamp: str) -> Iterator[FolderMove]:
    """Yield the moves of a task's logs, private repositories and worktree into the trash."""
    # the logs too, or the next task of this name would adopt these executions
    if (workspace.folder / "attempts" / task.id).exists():
        yield FolderMove(f"attempts/{task.id}", f"trash/{stamp}/attempts/{task.id}")
    if (workspace.folder / "rooms" / task.id).exists():
        yield FolderMove(f"rooms/{task.id}", f"trash/{stamp}/rooms-{task.id}")
    if task.worktree:
        for move in removal(workspace.repository, Path(task.worktree), stamp):
            yield FolderMove(str(move.old), str(move.new))


def empty_trash(workspace: Workspace) -> list[str]:
    """Delete what has been in the trash for longer than `trash.keep`; return a message for each failure."""
    config = workspace.config
    if not (keep_seconds := seconds(config.trash.keep)):
        return []
    places = {worktree_path(workspace.repository, config, "task").parent}
    places |= {Path(task.worktree).parent for task in workspace.tasks.values() if task.worktree}
    folders = [workspace.folder / "trash", *(place / TRASH for place in sorted(places))]
    return list(expire(folders, keep_seconds))


def _trash(workspace: Workspace, tasks: Sequence[Task], stamp: str) -> list[RefUpdate]:
    """Return the moves that delete branches and keep their commits; adopted branches are not touched."""
    owned = [task for task in tasks if task.branch and not _is_foreign(workspace, task)]
    branches = {branch_ref(task.branch): task for task in owned}
    tips = workspace.repository.refs(*branches) if branches else {}
    saved = [RefUpdate(naming.trash_ref(branches[ref].id, stamp), tip, None) for ref, tip in tips.items()]
    return [*saved, *(RefUpdate(ref, None, tip) for ref, tip in tips.items())]


def _is_foreign(workspace: Workspace, task: Task) -> bool:
    return task.adopted and task.branch != workspace.config.branch_of(task.id)
