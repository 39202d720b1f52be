"""Clean up closed tasks: worktrees, branches and logs."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import msgspec

from gitorch.config import seconds
from gitorch.git.layout import TRASH
from gitorch.git.worktree_list import all_checkouts
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.worktree_trash import expire, new_stamp, removal
from gitorch.model import naming
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task
from gitorch.rooms.paths import worktree_path
from gitorch.services import people_only
from gitorch.services.branches import own_branches
from gitorch.services.changes import operate
from gitorch.services.recovery.operations import operation_lock
from gitorch.services.recovery.relocation import follow_worktrees
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import FolderMove, describe


def removable(workspace: Workspace) -> list[Task]:
    """Return the tasks that `cleanup` would remove, and that no other task waits for.

    They are merged or rejected, or were cancelled before an agent began: there is nothing to resume.
    """
    tasks = workspace.tasks.values()
    closed = {task.id: task for task in tasks if _is_closed(task)}
    needed = {name for task in tasks if task.id not in closed for name in task.spec.after}
    return [task for name, task in closed.items() if name not in needed]


def _is_closed(task: Task) -> bool:
    return task.state in (State.MERGED, State.REJECTED) or _never_ran(task)


def _never_ran(task: Task) -> bool:
    return task.state is State.CANCELLED and task.attempts == 0 and not task.branch


def kept(workspace: Workspace) -> list[RemovalProof]:
    """Return why closed tasks stay that others build on."""
    tasks = workspace.tasks.values()
    waiting: dict[TaskId, list[TaskId]] = {task.id: [] for task in tasks if _is_closed(task)}
    for task in tasks:
        if task.id not in waiting:
            for name in task.spec.after:
                waiting.get(name, []).append(task.id)
    return [
        RemovalProof(task=name, text=f"stays: {', '.join(names)} builds on it", is_proven=False)
        for name, names in waiting.items()
        if names
    ]


class RemovalProof(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is no longer needed; without `is_proven`, why it stays. `commit` is what it was merged as."""

    task: TaskId
    text: str
    commit: Oid | None = None
    is_proven: bool = True


def proofs(workspace: Workspace, tasks: Sequence[Task]) -> list[RemovalProof]:
    """Return for each closed task what proves that it can go: its merged commit on a branch, or its rejection.

    A task stays as long as a person has its branch checked out.
    """
    merged = [task.merged_as for task in tasks if task.merged_as]
    on_branches = own_branches.on_kept_branches(workspace, merged) if merged else set()
    same_tree = _with_same_tree(workspace, [(task.tip, task.merged_as) for task in tasks])
    in_use = _checked_out_elsewhere(workspace, tasks)
    return [in_use.get(task.id) or _proof(task, on_branches, same_tree) for task in tasks]


def _checked_out_elsewhere(workspace: Workspace, tasks: Sequence[Task]) -> dict[TaskId, RemovalProof]:
    """Return why tasks stay whose branch a person has checked out: its HEAD would name a branch that is gone."""
    owned = {branch_ref(task.branch): task for task in tasks if task.branch and not _is_foreign(workspace, task)}
    proofs = {}
    for branch, paths in all_checkouts(workspace.repository).items() if owned else ():
        if (task := owned.get(branch)) and (elsewhere := [path for path in paths if path != Path(task.worktree)]):
            text = f"stays: {task.branch} is checked out in {elsewhere[0]}"
            proofs[task.id] = RemovalProof(task=task.id, text=text, is_proven=False)
    return proofs


def _with_same_tree(workspace: Workspace, pairs: Sequence[tuple[Oid | None, Oid | None]]) -> set[Oid]:
    """Return the second of each pair of commits that have the same tree."""
    complete = [(tip, merged) for tip, merged in pairs if tip and merged]
    names = [f"{commit}^{{tree}}" for pair in complete for commit in pair]
    trees = workspace.repository.object_ids(*names) if names else []
    compared = zip(complete, trees[::2], trees[1::2], strict=True)
    return {merged for (_, merged), tree, merged_tree in compared if tree and tree == merged_tree}


def _proof(task: Task, on_branches: Container[str], same_tree: Container[str]) -> RemovalProof:
    if _never_ran(task):
        return RemovalProof(task=task.id, text="cancelled, and no agent has begun")
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
    people_only.require_person("clean up")
    follow_worktrees(workspace)
    tasks = [workspace.tasks[task.id] for task in tasks]
    workspace.store.notices.extend(empty_trash(workspace))
    for task in tasks:
        _rescue(workspace, task)
    stamp = new_stamp()
    pairs = [(task, None) for task in tasks]
    with operation_lock(workspace), linked_worktrees.lock(workspace.repository):
        folders = [move for task in tasks for move in _folder_moves(workspace, task, stamp)]
        moves = _trash(workspace, tasks, stamp)
        operate(workspace, "cleanup", pairs, moves, summary=describe("clean up", tasks), folders=folders)
    yield from tasks
    workspace.store.snapshot()


def _rescue(workspace: Workspace, task: Task) -> None:
    worktree = linked_worktrees.find(workspace.repository, Path(task.worktree)) if task.worktree else None
    if worktree is not None:
        ref = naming.rescue_ref(task.id)
        linked_worktrees.rescue(workspace.repository, worktree, ref, f"uncommitted files of {task.id}", complete=True)


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
