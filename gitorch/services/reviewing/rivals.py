"""Pick one of rival attempts: the others are dropped in the same operation, and what waited for them follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.model import note, rivals
from gitorch.model.naming import Oid, TaskId, attempt_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Comment, State, Task, change, change_spec
from gitorch.services.workspace import Workspace
from gitorch.storage.tasks import Pair


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """What a pick changes, except for the picked task.

    `pairs` are the other rivals, rejected or cancelled, and the tasks that waited for one of them. `moves` keep the
    tips of the rivals under the refs of their attempts, `lines` are notes for those tips.
    """

    pairs: tuple[Pair, ...] = ()
    moves: tuple[RefUpdate, ...] = ()
    lines: tuple[tuple[Oid, note.Line], ...] = ()


def chosen(workspace: Workspace, task: Task, pick: int | None = None) -> Task:
    """Return the rival that `approve TASK` means: number `pick`, or for the name of an open group the proposed one.

    Any other task is returned as it is. Raises `InvalidInput` for a number that no rival has, and `Refused` while
    nothing can be proposed.
    """
    group = rivals.rivals_of(task, workspace.tasks.values())
    if pick is not None:
        return _numbered(task, group, pick)
    if not group or rivals.is_decided(group) or task.id != _group_name(task):
        return task
    if unfinished := rivals.at_work(group):
        raise Refused(
            "rivals-at-work",
            f"the rivals of {task.id} have not all ended: {_states(unfinished)}",
            why="the checks and the size of each diff decide which one is proposed",
            fix=("orchestrate watch", f"orchestrate approve {task.id} --pick N"),
        )
    proposed = rivals.proposal(group)
    if proposed is None:
        raise Refused(
            "no-rival-proposed",
            f"no rival of {task.id} can be proposed: {_states(group)}",
            why="none is finished with checks that pass",
            fix=(f"orchestrate review {task.id}", f"orchestrate approve {task.id} --pick N --force"),
        )
    return proposed


def dropped_by(workspace: Workspace, picked: Iterable[Task], reviewer: str) -> Dropped:
    """Return what else the pick of these tasks changes; raise `Refused` if a rival of one is running."""
    pairs: dict[TaskId, Pair] = {}
    moves: list[RefUpdate] = []
    lines: list[tuple[Oid, note.Line]] = []
    winners = {task.id for task in picked}
    for winner in picked:
        group = rivals.rivals_of(winner, workspace.tasks.values())
        losers = [task for task in group if task.id != winner.id and task.state not in _OVER]
        if not losers:
            continue
        _require_droppable(winner, losers, winners)
        for loser in losers:
            pairs[loser.id] = (loser, _drop(loser, winner))
            if loser.tip is not None and loser.tip != loser.base:
                moves += _kept(workspace, loser, loser.tip)
                comment = Comment(text=f"{winner.id} was picked")
                lines.append((loser.tip, note.verdict_line(loser, "reject", reviewer, [comment])))
        for task in workspace.tasks.values():
            followed = _follow(pairs.get(task.id, (task, task))[1] or task, {loser.id for loser in losers}, winner.id)
            if followed is not None and task.id not in winners:
                pairs[task.id] = (task, followed)
    return Dropped(pairs=tuple(pairs.values()), moves=tuple(moves), lines=tuple(lines))


_OVER = frozenset({State.REJECTED, State.CANCELLED, State.MERGED})
_TO_CANCEL = frozenset({State.QUEUED, State.WAITING})


def _numbered(task: Task, group: Sequence[Task], pick: int) -> Task:
    for rival in group:
        if rivals.number_of(rival) == pick:
            return rival
    what = f"{task.id} has no rival {pick}" if group else f"{task.id} has no rivals"
    why = f"there is {', '.join(f'{rivals.number_of(rival)} ({rival.id})' for rival in group)}" if group else ""
    raise InvalidInput("no-rival", what, why=why)


def _group_name(task: Task) -> TaskId:
    return task.spec.rival.group if task.spec.rival else task.id


def _states(group: Iterable[Task]) -> str:
    return ", ".join(f"{task.id} ({task.state})" for task in group)


def _require_droppable(winner: Task, losers: Sequence[Task], winners: set[TaskId]) -> None:
    if running := [task for task in losers if task.state is State.RUNNING]:
        names = " ".join(task.id for task in running)
        raise Refused(
            "rivals-at-work",
            f"rivals of {winner.id} are still running: {names}",
            fix=(f"orchestrate kill {names}",),
        )
    if both := [task.id for task in losers if task.id in winners]:
        raise Refused("two-rivals", f"{winner.id} and {both[0]} are rivals: only one of them can be picked")


def _drop(loser: Task, winner: Task) -> Task:
    state = State.CANCELLED if loser.state in _TO_CANCEL else State.REJECTED
    return change(loser, state=state, reason=f"{winner.id} was picked", wake=None)


def _kept(workspace: Workspace, loser: Task, tip: Oid) -> list[RefUpdate]:
    """Return the update that keeps a rival's tip under the ref of its attempt, unless that has it already."""
    ref = attempt_ref(loser.id, max(loser.attempts, 1))
    current_tip = workspace.repository.read_ref(ref)
    return [] if current_tip == tip else [RefUpdate(ref, tip, current_tip)]


def _follow(task: Task, losers: set[TaskId], winner: TaskId) -> Task | None:
    """Return a task that waits for the picked rival instead of another one; None if it waits for none of them."""
    if not losers.intersection(task.spec.after) or task.state is State.MERGED:
        return None
    after = tuple(dict.fromkeys(winner if name in losers else name for name in task.spec.after))
    is_started = task.commits is not None and task.commits.tip is not None
    return change(change_spec(task, after=after), stale=task.stale or is_started)
