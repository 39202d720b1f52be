"""The conflict forecast and the merge candidate: which branches will conflict, and the state of the candidate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

import msgspec
from msgspec import field

from gitorch import typed
from gitorch.model.branch_state import BranchState
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import CheckResult, State, Task

_PAIR = 2

IN_FLIGHT = frozenset({State.RUNNING, State.WAITING, State.FINISHED, State.APPROVED, State.CONFLICTED})
"""States in which a task's branch may take part in a merge."""


class Conflict(msgspec.Struct, frozen=True):
    """Two tasks whose work git cannot combine, and the paths; a single task conflicts with merged work."""

    tasks: tuple[TaskId, ...]
    paths: tuple[str, ...]


class ConflictGroup(msgspec.Struct, frozen=True):
    """Tasks that conflict in the same paths: each with each other, or with `partners` the one task with each of them.

    A single task without partners conflicts with merged work.
    """

    tasks: tuple[TaskId, ...]
    paths: tuple[str, ...]
    partners: tuple[TaskId, ...] = ()

    @property
    def conflicts(self) -> int:
        """The number of conflicts that the group stands for."""
        return len(self.partners) or len(self.tasks) * (len(self.tasks) - 1) // 2 or 1


def group_conflicts(conflicts: Iterable[Conflict]) -> list[ConflictGroup]:
    """Return conflicts as groups of tasks, each conflict in one of them: eleven tasks in one file, not 55 pairs."""
    by_paths: dict[tuple[str, ...], list[tuple[TaskId, ...]]] = {}
    for conflict in conflicts:
        by_paths.setdefault(conflict.paths, []).append(conflict.tasks)
    return [group for paths, found in by_paths.items() for group in _groups(paths, found)]


def _groups(paths: tuple[str, ...], found: Sequence[tuple[TaskId, ...]]) -> Iterator[ConflictGroup]:
    """Yield who conflicts with merged work, groups in which all conflict, and what is left by one of its tasks."""
    yield from (ConflictGroup(names, paths) for names in found if len(names) != _PAIR)
    left = {frozenset(names): names for names in found if len(names) == _PAIR}
    names = dict.fromkeys(name for pair in left.values() for name in pair)
    for first in list(left.values()):
        group = [*first]
        for name in names:
            if all(frozenset((name, other)) in left for other in group):
                group.append(name)
        if len(group) > _PAIR and frozenset(first) in left:
            for pair in combinations(group, _PAIR):
                del left[frozenset(pair)]
            yield ConflictGroup(tuple(group), paths)
    while left:
        counts = Counter(name for pair in left.values() for name in pair)
        name = max(names, key=lambda name: counts[name])  # the first of those with the most
        pairs = [pair for pair in left.values() if name in pair]
        left = {key: pair for key, pair in left.items() if name not in pair}
        partners = tuple(other for pair in pairs for other in pair if other != name)
        yield ConflictGroup(pairs[0], paths) if len(pairs) == 1 else ConflictGroup((name,), paths, partners)


class RemovedName(msgspec.Struct, frozen=True, kw_only=True):
    """A public name that one branch removes or renames and another one newly uses, with the file of each."""

    name: str
    removed_by: TaskId
    removed_in: str
    used_by: TaskId
    used_in: str


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The conflicts among all branches in flight, as of `when`: what each task held then, and what it was put on.

    `removed_names` are what text conflicts do not tell.
    """

    created: datetime = field(name="when")
    onto: Oid
    tips: dict[TaskId, Oid]
    conflicts: tuple[Conflict, ...] = ()
    removed_names: tuple[RemovedName, ...] = ()


class CheckStatus(StrEnum):
    """The check status of a candidate."""

    GREEN = "green"
    RED = "red"
    CHECKING = "being checked"
    UNCHECKED = "not checked"


class ExcludedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A finished task that is not in the candidate: the reason, the tasks it conflicts with, and the paths."""

    task: TaskId
    reason: str
    partners: tuple[TaskId, ...] = ()
    paths: tuple[str, ...] = ()


class FailingTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that turns the union red: which check, together with whom, and whether it is green alone (None: not
    known)."""

    task: TaskId
    check: str
    partners: tuple[TaskId, ...] = ()
    alone: bool | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The merge candidate: a branch with all completed work, in merge order.

    `tasks` holds the tips of the included tasks, `inputs` those of all selected tasks. `before` is the previous tip of
    the branch (None: none, or not moved by gitorch). `onto` is the integration branch, replayed if its base has moved;
    `merge_base` holds the tips of these two. `not_updated` says why the branch could not be moved. `reason` explains
    missing check results, or says that the integration branch itself is red. `resolutions` are those of what
    conflicts; the proven ones are in it.
    """

    branch: str
    tip: Oid
    tree: Oid
    onto: Oid
    before: Oid | None
    created: datetime = field(name="when")
    tasks: dict[TaskId, Oid]
    inputs: dict[TaskId, Oid] = field(name="made_of")
    merge_base: tuple[Oid | None, ...] = field(default=(), name="ground")
    left_out: tuple[ExcludedTask, ...] = ()
    status: CheckStatus = field(default=CheckStatus.UNCHECKED, name="judgement")
    results: tuple[CheckResult, ...] = ()
    red: tuple[FailingTask, ...] = ()
    not_updated: str = field(default="", name="held")
    reason: str = ""
    resolutions: tuple[Resolution, ...] = ()

    @property
    def awaits_proof(self) -> bool:
        """Whether it has resolutions whose checks have not run yet."""
        return any(resolution.awaits_checks for resolution in self.resolutions)


ForecastSummary = tuple[tuple[Conflict, ...], Candidate | None]
"""The conflicts of the forecast, and the candidate."""


def active_conflicts(conflicts: Iterable[Conflict], tasks: Mapping[TaskId, Task]) -> tuple[Conflict, ...]:
    """Return the conflicts whose tasks are all still in flight."""
    return tuple(
        conflict
        for conflict in conflicts
        if all(name in tasks and tasks[name].state in IN_FLIGHT for name in conflict.tasks)
    )


def without_rewritten(conflicts: Iterable[Conflict], states: Iterable[BranchState]) -> tuple[Conflict, ...]:
    """Leave out the conflicts of branches that a person has rewritten since: they are about other commits."""
    rewritten = {state.task.id for state in states if state.unseen and state.is_rewritten}
    return tuple(conflict for conflict in conflicts if rewritten.isdisjoint(conflict.tasks))


def active_names(removed: Iterable[RemovedName], tasks: Mapping[TaskId, Task]) -> tuple[RemovedName, ...]:
    """Return the removed names whose tasks are both still in flight."""
    return tuple(
        entry
        for entry in removed
        if all(name in tasks and tasks[name].state in IN_FLIGHT for name in (entry.removed_by, entry.used_by))
    )


def conflicts_of(conflicts: Iterable[Conflict], name: TaskId) -> tuple[Conflict, ...]:
    """Return the conflicts of one task."""
    return tuple(conflict for conflict in conflicts if name in conflict.tasks)


Record = TypeVar("Record", Forecast, Candidate)


def encoded(record: Forecast | Candidate) -> bytes:
    """Return a record as JSON; a path that is not UTF-8 keeps its bytes as escapes."""
    return json.dumps(msgspec.to_builtins(record)).encode("ascii")


def decoded(raw: bytes, kind: type[Record]) -> Record | None:
    """Read a record; None if it has another format: it will be computed again."""
    try:
        return typed.from_object(json.loads(raw), kind)
    except (ValueError, RecursionError):  # msgspec's ValidationError is one of the first
        return None
