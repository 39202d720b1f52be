"""Taking an operation back: whether that is possible exactly, and what has to move for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.git import notes_revert, worktrees
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, OWN_REFS, Oid, Ref, TaskId, branch_ref, trash_ref
from gitorch.model.plan import PlanSession
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task
from gitorch.storage.operations import REDO, UNDO, FolderMove, Operation, TaskChange, fingerprint, restored
from gitorch.storage.tasks import Pair


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation would be taken back from: refs, tasks, plans, and where branches are checked out.

    `ours` are the refs that gitorch may move; a name that ends in a slash is a whole folder.
    """

    refs: Mapping[Ref, Oid]
    tasks: Mapping[TaskId, Task]
    checked_out: Mapping[Ref, Path]
    ours: tuple[str, ...]
    plans: Mapping[str, PlanSession] = {}

    def is_ours(self, ref: Ref) -> bool:
        folders = tuple(name for name in self.ours if name.endswith("/"))
        return ref in self.ours or ref.startswith(folders)


class Past(msgspec.Struct, frozen=True):
    """An operation of the past, and what keeps `undo` (or `redo`) from it: None when nothing does."""

    operation: Operation
    obstacle: Refused | None


def scene(
    repository: Repository,
    config: Config,
    tasks: Mapping[TaskId, Task],
    operations: Sequence[Operation],
    plans: Mapping[str, PlanSession],
) -> Scene:
    """Look at what these operations moved, as it is now; `plans` are those that they are about."""
    names = {moved.ref for operation in operations for moved in operation.refs}
    branches = any(name.startswith("refs/heads/") for name in names)
    return Scene(
        refs=repository.refs(*sorted(names)) if names else {},
        tasks=tasks,
        checked_out=worktrees.checked_out(repository) if branches else {},
        ours=(OWN_REFS, NOTES, branch_ref(config.integration), *_task_refs(config, operations)),
        plans=plans,
    )


def _task_refs(config: Config, operations: Iterable[Operation]) -> Iterator[Ref]:
    if config.prefix.endswith("/"):
        yield branch_ref(config.prefix)
    yield from (branch_ref(config.branch_of(one.task)) for operation in operations for one in operation.changes)


def obstacle(operation: Operation, here: Scene) -> Refused | None:
    """Return why an operation cannot be taken back exactly; None when it can."""
    if not operation.is_exact:
        return _refused(operation, "an older version of gitorch wrote it down without what was before")
    found = (
        *(_ref_obstacle(operation, moved, here) for moved in operation.refs),
        *(_task_obstacle(operation, one, here) for one in operation.changes),
        _plan_obstacle(operation, here),
    )
    return next((one for one in found if one is not None), None)


def _refused(operation: Operation, reason: str, why: str = "", *fix: str) -> Refused:
    verb = "brought back" if operation.kind == UNDO else "taken back"
    return Refused("undo-refused", f"{operation.said!r} cannot be {verb}: {reason}", why=why, fix=fix)


def _moving(operation: Operation) -> list[RefUpdate]:
    return [moved for moved in operation.refs if moved.old != moved.new]


def _ref_obstacle(operation: Operation, moved: RefUpdate, here: Scene) -> Refused | None:
    now = here.refs.get(moved.ref)
    name = moved.ref.removeprefix("refs/heads/")
    where = here.checked_out.get(moved.ref)
    if not here.is_ours(moved.ref):
        return _foreign_obstacle(operation, moved, now, where)
    if moved.ref == NOTES or moved.old == moved.new:
        return None  # what others noted since stays
    if now != moved.new:
        at = f"it was left at {_short(moved.new)}, and is at {_short(now)}"
        return _refused(operation, f"{name} has moved since", at, f"git log {name}" if now else "git reflog")
    if where is not None:
        return _refused(operation, f"{name} is checked out in {where}", "", f"git -C {where} switch --detach")
    return None


def _foreign_obstacle(operation: Operation, moved: RefUpdate, now: Oid | None, where: Path | None) -> Refused | None:
    """Return what a branch of the user's has against it: only they move it, and when they have, it is no obstacle."""
    name = moved.ref.removeprefix("refs/heads/")
    if operation.kind == UNDO:
        return _refused(operation, f"it published to {name}, which is yours", "do it anew", "orchestrate merge -h")
    if now == moved.old:
        return None
    if now != moved.new:
        return _refused(operation, f"it was published to {name}, which has moved since", f"{name} is at {_short(now)}")
    back = f"git branch --force {name} {moved.old}" if moved.old else f"git branch -D {name}"
    back = f"git -C {where} reset --keep {moved.old}" if where and moved.old else back
    why = f"{name} is yours, and gitorch does not take commits away from it"
    return _refused(operation, f"it was published to {name}", why, back, "orchestrate undo")


def _short(oid: Oid | None) -> str:
    return oid[:12] if oid else "no commit"


def _task_obstacle(operation: Operation, one: TaskChange, here: Scene) -> Refused | None:
    now = here.tasks.get(one.task)
    if fingerprint(now) != one.after:
        words = f"it is {now.state} now" if now else "it is no longer there"
        stop = (f"orchestrate kill {one.task}",) if now and now.state is State.RUNNING else ()
        return _refused(operation, f"{one.task} has changed since", words, *stop, f"orchestrate task {one.task}")
    if one.old is not None and one.new is None and (other := _holder(one.old.get("number"), here)):
        return _refused(operation, f"its number {one.old.get('number')} belongs to {other} now")
    if one.old is None and (waiting := [task.id for task in here.tasks.values() if one.task in task.spec.after]):
        others = set(waiting) - {each.task for each in operation.changes}
        if others:
            return _refused(operation, f"{min(others)} waits for {one.task}")
    return None


def _plan_obstacle(operation: Operation, here: Scene) -> Refused | None:
    """Return what keeps a plan from being approved again: what was agreed to is that plan and no other."""
    agreed = operation.plan
    if agreed is None or operation.kind != UNDO:
        return None  # an approved plan cannot change; one that was dropped stays so
    session = here.plans.get(agreed.plan)
    if session is None:
        return _refused(operation, f"its plan {agreed.plan} was dropped since")
    if session.approval is not None or fingerprint(session.plan) != agreed.print:
        again = f"orchestrate plan approve {agreed.plan}"
        return _refused(operation, f"its plan {agreed.plan} has changed since", "agree to it as it is now", again)
    return None


def _holder(number: object, here: Scene) -> TaskId | None:
    return next((task.id for task in here.tasks.values() if task.number == number), None)


def after(operation: Operation, here: Scene) -> Scene:
    """Return what would be there once an operation was taken back."""
    refs = dict(here.refs)
    for moved in _moving(operation):
        refs.pop(moved.ref, None)
        if moved.old is not None:
            refs[moved.ref] = moved.old
    tasks = dict(here.tasks)
    for one in operation.changes:
        before = restored(one, tasks.pop(one.task, None))
        if before is not None:
            tasks[one.task] = before
    return msgspec.structs.replace(here, refs=refs, tasks=tasks)


def past(operations: Sequence[Operation], here: Scene) -> list[Past]:
    """Return operations, the next to be taken back first, each with what keeps it from being taken back then."""
    found: list[Past] = []
    for operation in operations:
        if found and (above := found[-1]).obstacle is not None:
            found.append(Past(operation, _refused(operation, f"{above.operation.said!r} comes first")))
            continue
        found.append(Past(operation, obstacle(operation, here)))
        if found[-1].obstacle is None:
            here = after(operation, here)
    return found


def inverse_moves(repository: Repository, operation: Operation, here: Scene) -> list[RefUpdate]:
    """Return the ref moves that take an operation back; what they would leave unreachable is kept under a ref of ours.

    Call within `notes.lock`.
    """
    moves = [_back(repository, moved, here) for moved in operation.refs]
    if operation.kind == UNDO:
        return moves  # forward again: nothing is left behind
    kept = {move.new for move in moves}
    left = [move for move in moves if move.old is not None and move.old not in kept and move.new != move.old]
    return [*moves, *(RefUpdate(_keeping(operation, move.ref), move.old, None) for move in left)]


def _back(repository: Repository, moved: RefUpdate, here: Scene) -> RefUpdate:
    if not here.is_ours(moved.ref):
        return RefUpdate(moved.ref, moved.old, moved.old)  # the user has moved it back already
    if moved.ref == NOTES and here.refs.get(NOTES) != moved.new:
        return notes_revert.revert(repository, moved.old, moved.new)
    return RefUpdate(moved.ref, moved.old, moved.new)


def _keeping(operation: Operation, ref: Ref) -> Ref:
    return trash_ref(f"undo-{operation.number}", ref.removeprefix("refs/"))


def inverse_pairs(operation: Operation, here: Scene) -> list[Pair]:
    """Return the changes of tasks that take an operation back."""
    return [(now, restored(one, now)) for one in operation.changes for now in (here.tasks.get(one.task),)]


def inverse_folders(operation: Operation) -> list[FolderMove]:
    """Return the moves of folders that take an operation back."""
    return [FolderMove(one.new, one.old) for one in operation.folders]


def inverse_kind(operation: Operation) -> str:
    """Return what taking an operation back is called."""
    return REDO if operation.kind == UNDO else UNDO
