"""Invert an operation: whether that is possible exactly, and which refs, tasks and folders change for it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.git import worktree_list
from gitorch.git.notes import revert
from gitorch.git.repository import Repository
from gitorch.model.naming import OWN_REFS, Oid, Ref, TaskId, branch_ref, trash_ref
from gitorch.model.plan import PlanSession
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task
from gitorch.storage.operations import REDO, UNDO, FolderMove, Operation, TaskChange, fingerprint, restored
from gitorch.storage.tasks import Pair


class RepoSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo is checked against: refs, tasks, plans, and where branches are checked out.

    `own_refs` are the refs that gitorch may move; a name that ends in a slash stands for all refs below it.
    """

    refs: Mapping[Ref, Oid]
    tasks: Mapping[TaskId, Task]
    checked_out: Mapping[Ref, Sequence[Path]]
    own_refs: tuple[str, ...]
    plans: Mapping[str, PlanSession] = {}

    def is_own(self, ref: Ref) -> bool:
        folders = tuple(name for name in self.own_refs if name.endswith("/"))
        return ref in self.own_refs or ref.startswith(folders)


_NOTES = Ref("refs/notes/")


class UndoEntry(msgspec.Struct, frozen=True):
    """An earlier operation, and why `undo` (or `redo`) refuses it; None if it does not."""

    operation: Operation
    why_not: Refused | None


def take_snapshot(
    repository: Repository,
    config: Config,
    tasks: Mapping[TaskId, Task],
    operations: Sequence[Operation],
    plans: Mapping[str, PlanSession],
) -> RepoSnapshot:
    """Return the current state of everything that these operations changed; `plans` are those they refer to."""
    names = {update.ref for operation in operations for update in operation.refs}
    has_branches = any(name.startswith("refs/heads/") for name in names)
    return RepoSnapshot(
        refs=repository.refs(*sorted(names)) if names else {},
        tasks=tasks,
        checked_out=worktree_list.all_checkouts(repository) if has_branches else {},
        # of the user's notes only what a merge carried is taken back (`notes.rewriteRef`)
        own_refs=(OWN_REFS, _NOTES, branch_ref(config.integration), *_task_refs(config, operations)),
        plans=plans,
    )


def _task_refs(config: Config, operations: Iterable[Operation]) -> Iterator[Ref]:
    if config.prefix.endswith("/"):
        yield branch_ref(config.prefix)
    yield from (branch_ref(config.branch_of(change.task)) for operation in operations for change in operation.changes)


def why_not(operation: Operation, snapshot: RepoSnapshot) -> Refused | None:
    """Return why an operation cannot be undone exactly; None if it can."""
    if not operation.is_exact:
        return _refused(operation, "an older version of gitorch logged it without the state before it")
    refusals = (
        *(_ref_refusal(operation, update, snapshot) for update in operation.refs),
        *(_task_refusal(operation, change, snapshot) for change in operation.changes),
        _plan_refusal(operation, snapshot),
    )
    return next((refusal for refusal in refusals if refusal is not None), None)


def _refused(operation: Operation, reason: str, details: str = "", *fix: str) -> Refused:
    verb = "redone" if operation.kind == UNDO else "undone"
    return Refused("undo-refused", f"{operation.summary!r} cannot be {verb}: {reason}", why=details, fix=fix)


def _ref_refusal(operation: Operation, update: RefUpdate, snapshot: RepoSnapshot) -> Refused | None:
    now = snapshot.refs.get(update.ref)
    name = update.ref.removeprefix("refs/heads/")
    checkouts = snapshot.checked_out.get(update.ref, ())
    if not snapshot.is_own(update.ref):
        return _user_branch_refusal(operation, update, now, checkouts)
    if update.ref.startswith(_NOTES) or update.old == update.new:
        return None  # notes that others added since then are kept
    if now != update.new:
        position = f"the operation left it at {_short(update.new)}; it is now at {_short(now)}"
        return _refused(operation, f"{name} has moved since", position, f"git log {name}" if now else "git reflog")
    staying = [path for path in checkouts if not _moves_away(operation, path)]
    if staying and not _is_followed(update, snapshot):
        places = " and ".join(map(str, staying))
        return _refused(operation, f"{name} is checked out in {places}", "", *map(_detach, staying))
    return None


def _detach(checkout: Path) -> str:
    return f"git -C {shlex.quote(str(checkout))} switch --detach"


def _is_followed(update: RefUpdate, snapshot: RepoSnapshot) -> bool:
    """Return whether the worktree of a task follows a move of its branch."""
    branches = {branch_ref(task.branch) for task in snapshot.tasks.values() if task.branch and not task.adopted}
    return update.old is not None and update.new is not None and update.ref in branches


def _moves_away(operation: Operation, checkout: Path) -> bool:
    """Return whether an operation brought this worktree back, so that its inverse takes it away again."""
    return any(os.path.realpath(folder.new) == os.path.realpath(checkout) for folder in operation.folders)


def _user_branch_refusal(
    operation: Operation, update: RefUpdate, now: Oid | None, checkouts: Sequence[Path]
) -> Refused | None:
    """Return why a user branch blocks an undo. Only its owner moves it; once they have, it blocks nothing."""
    name = update.ref.removeprefix("refs/heads/")
    if operation.kind == UNDO:
        return _refused(operation, f"it published to {name}, which is yours", "merge again", "orchestrate merge -h")
    if now == update.old:
        return None
    if now != update.new:
        return _refused(operation, f"it was published to {name}, which has moved since", f"{name} is at {_short(now)}")
    owner = f"{name} is yours, and gitorch does not remove commits from it"
    commands = _move_back(name, update, checkouts)
    return _refused(operation, f"it was published to {name}", owner, *commands, "orchestrate undo")


def _move_back(name: str, update: RefUpdate, checkouts: Sequence[Path]) -> Iterator[str]:
    """Yield the commands that move a user branch back, with the files of all its checkouts; changes in them stay."""
    if update.old is None:
        yield f"git branch -D {name}"
        return
    if not checkouts:
        yield f"git branch --force {name} {update.old}"
        return
    first, *others = [shlex.quote(str(path)) for path in checkouts]
    yield f"git -C {first} reset --keep {update.old}"
    # the branch has moved then: only their index and files are left
    yield from (f"git -C {path} read-tree -m -u {update.new} {update.old}" for path in others)


def _short(oid: Oid | None) -> str:
    return oid[:12] if oid else "no commit"


def _task_refusal(operation: Operation, change: TaskChange, snapshot: RepoSnapshot) -> Refused | None:
    now = snapshot.tasks.get(change.task)
    if fingerprint(now) != change.after:
        status = f"it is {now.state} now" if now else "it no longer exists"
        stop = (f"orchestrate kill {change.task}",) if now and now.state is State.RUNNING else ()
        return _refused(operation, f"{change.task} has changed since", status, *stop, f"orchestrate task {change.task}")
    if change.old is not None and change.new is None and (holder := _holder(change.old.get("number"), snapshot)):
        return _refused(operation, f"its number {change.old.get('number')} belongs to {holder} now")
    if change.old is None:
        waiting = {task.id for task in snapshot.tasks.values() if change.task in task.spec.after}
        waiting -= {created.task for created in operation.changes}
        if waiting:
            return _refused(operation, f"{min(waiting)} waits for {change.task}")
    return None


def _plan_refusal(operation: Operation, snapshot: RepoSnapshot) -> Refused | None:
    """Return why a plan cannot be approved again: the approval was for exactly that plan."""
    approval = operation.plan
    if approval is None or operation.kind != UNDO:
        return None  # an approved plan cannot change, and a dropped plan stays dropped
    session = snapshot.plans.get(approval.plan)
    if session is None:
        return _refused(operation, f"its plan {approval.plan} has been dropped since")
    if session.approval is not None or fingerprint(session.plan) != approval.fingerprint:
        approve = f"orchestrate plan approve {approval.plan}"
        return _refused(operation, f"its plan {approval.plan} has changed since", "approve it as it is now", approve)
    return None


def _holder(number: object, snapshot: RepoSnapshot) -> TaskId | None:
    return next((task.id for task in snapshot.tasks.values() if task.number == number), None)


def snapshot_before(operation: Operation, snapshot: RepoSnapshot) -> RepoSnapshot:
    """Return the snapshot as it would be with an operation undone."""
    refs = dict(snapshot.refs)
    for update in operation.refs:
        if update.old == update.new:
            continue
        refs.pop(update.ref, None)
        if update.old is not None:
            refs[update.ref] = update.old
    tasks = dict(snapshot.tasks)
    for change in operation.changes:
        before = restored(change, tasks.pop(change.task, None))
        if before is not None:
            tasks[change.task] = before
    return msgspec.structs.replace(snapshot, refs=refs, tasks=tasks)


def list_entries(operations: Sequence[Operation], snapshot: RepoSnapshot) -> list[UndoEntry]:
    """Return operations, the next to be undone first, each with why it could not be undone when its turn comes."""
    entries: list[UndoEntry] = []
    for operation in operations:
        if entries and (previous := entries[-1]).why_not is not None:
            entries.append(UndoEntry(operation, _refused(operation, f"{previous.operation.summary!r} comes first")))
            continue
        entries.append(UndoEntry(operation, why_not(operation, snapshot)))
        if entries[-1].why_not is None:
            snapshot = snapshot_before(operation, snapshot)
    return entries


def inverse_moves(repository: Repository, operation: Operation, snapshot: RepoSnapshot) -> list[RefUpdate]:
    """Return the ref updates that undo an operation. Tips that would become unreachable get a trash ref.

    Call within `notes.lock`.
    """
    moves = [_inverse_move(repository, update, snapshot) for update in operation.refs]
    if operation.kind == UNDO:
        return moves  # a redo moves forward: nothing becomes unreachable
    reachable = {move.new for move in moves}
    dropped = [move for move in moves if move.old is not None and move.old not in reachable and move.new != move.old]
    return [*moves, *(RefUpdate(_trash_ref(operation, move.ref), move.old, None) for move in dropped)]


def _inverse_move(repository: Repository, update: RefUpdate, snapshot: RepoSnapshot) -> RefUpdate:
    if not snapshot.is_own(update.ref):
        return RefUpdate(update.ref, update.old, update.old)  # its owner has already moved it back
    if update.ref.startswith(_NOTES) and snapshot.refs.get(update.ref) != update.new:
        return revert.revert(repository, update.old, update.new, update.ref)
    return RefUpdate(update.ref, update.old, update.new)


def _trash_ref(operation: Operation, ref: Ref) -> Ref:
    return trash_ref(f"undo-{operation.number}", ref.removeprefix("refs/"))


def inverse_pairs(operation: Operation, snapshot: RepoSnapshot) -> list[Pair]:
    """Return the task changes that undo an operation: each task now, and as it was before."""
    current = [(snapshot.tasks.get(change.task), change) for change in operation.changes]
    return [(task, restored(change, task)) for task, change in current]


def inverse_folders(operation: Operation) -> list[FolderMove]:
    """Return the folder moves that undo an operation."""
    return [FolderMove(move.new, move.old) for move in operation.folders]


def inverse_kind(operation: Operation) -> str:
    """Return the kind of the operation that undoes this one."""
    return REDO if operation.kind == UNDO else UNDO
