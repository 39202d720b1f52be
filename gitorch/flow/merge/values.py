"""The values of a merge: its plan, and the tasks that go in, conflict, fail a check, or wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from gitorch.flow.merge.into import MergeTarget, NotRebased, Rebased
from gitorch.flow.merge.task_error import TaskError
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import CheckResult, State, Task, commit_range
from gitorch.replay import Conflicted, Replayed

MERGEABLE = frozenset({State.APPROVED, State.CONFLICTED})


Results = tuple[CheckResult, ...]


class TreeCheck(Protocol):
    """Runs the checks on the tree of a commit, from any thread; calls `on_check` with the name of each check it starts.

    With `retry` the tree is checked once more; a check that failed before and passes now is flaky.
    """

    def __call__(self, commit: Oid, *, retry: bool = False, on_check: Callable[[str], None] = ...) -> Results: ...


class TreeStore(Protocol):
    """What a check runner needs of a replayer: the trees of its commits, and their objects in the repository."""

    def tree(self, commit: Oid, /) -> Oid: ...

    def keep(self, *tips: Oid) -> None: ...


class MergeStep(msgspec.Struct, frozen=True, kw_only=True):
    """One task that goes in: its own commits, replayed.

    If it is not `rooted`, its branch starts on commits that are not in: only its own commits are.
    """

    task: Task
    replayed: Replayed
    paths: frozenset[str]
    rooted: bool = True

    @property
    def tips(self) -> tuple[Oid, ...]:
        """The tip of the branch, if everything that it reaches is in."""
        return (commit_range(self.task)[1],) if self.rooted else ()


class MergeConflict(msgspec.Struct, frozen=True, kw_only=True):
    """One task that does not go in: the paths in conflict, and the earlier tasks without which it would go in.

    Without partners it conflicts with merged work. `conflict` is git's result.
    """

    task: Task
    paths: tuple[str, ...]
    partners: tuple[TaskId, ...]
    conflict: Conflicted | None = None


class Blocked(msgspec.Struct, frozen=True):
    """One task that has to wait, and why; with an `error`, it could not be planned."""

    task: Task
    reason: str
    error: TaskError | None = None


class FailingSet(msgspec.Struct, frozen=True, kw_only=True):
    """A minimal set of tasks whose union fails a check: its members in merge order, the check, and its output file.

    `alone` are the members of several that were seen to pass alone; the others passed together, without those.
    `earlier` is a task of an earlier merge with which a single member fails, though it passes on its own base.
    """

    members: tuple[Task, ...]
    check: str
    output: str = ""
    alone: tuple[TaskId, ...] = ()
    earlier: TaskId | None = None


class Failure(msgspec.Struct, frozen=True):
    """One task that is left out because a check fails with it.

    `partners` are the tasks that it fails together with, in this merge or in an earlier one. `alone` says whether it
    passes without them, with only its dependencies (None: unknown). `output` is the file with the output of the check.
    """

    task: Task
    check: str
    partners: tuple[TaskId, ...] = ()
    alone: bool | None = None
    output: str = ""


class MergePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge would do. No ref has been moved.

    - `before`: the tip of the integration branch; `onto`: the commit that the tasks go onto. The two differ if the
      integration branch is `rebased` onto a base that has moved.
    - `order`: all requested tasks in merge order.
    - `verify`: how the trees were checked (`never`: not at all); `results`: the check results of the tip's tree;
      `flakes`: checks that failed and then passed on one tree; `red_base`: the checks that fail without any task.
    - `target`: the user branch that goes to the result.
    - `resolutions`: the resolutions of conflicts that no person has seen; those of `steps` are proven.
    """

    before: Oid | None
    onto: Oid
    order: tuple[Task, ...] = ()
    steps: tuple[MergeStep, ...] = ()
    conflicts: tuple[MergeConflict, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    failures: tuple[Failure, ...] = ()
    results: tuple[CheckResult, ...] = ()
    flakes: tuple[CheckResult, ...] = ()
    red_base: str = ""
    verify: str = "never"
    rebased: Rebased | NotRebased | None = None
    target: MergeTarget | None = None
    resolutions: tuple[Resolution, ...] = ()

    @property
    def is_base_conflict(self) -> bool:
        """Whether nothing can go in, because the integration branch conflicts with its base."""
        return isinstance(self.rebased, Rebased) and isinstance(self.rebased.replayed, Conflicted)

    @property
    def ready(self) -> list[Resolution]:
        """The proven resolutions that this plan does not publish."""
        return [entry for entry in self.resolutions if entry.proven and entry.task not in self.resolved]

    @property
    def resolved(self) -> frozenset[TaskId]:
        """The tasks that go in with a resolution that no person has seen."""
        return frozenset(
            step.task.id
            for step in self.steps
            if any(file.needs_proof for part in step.replayed.resolved for file in part.files)
        )

    @property
    def tip(self) -> Oid:
        return self.steps[-1].replayed.tip if self.steps else self.onto


class Progress(msgspec.Struct, frozen=True):
    """What a merge is doing: `step` of `of` pieces of work are done.

    `tasks` are those whose union is being checked, or the one that is being replayed; `check` is the running check.
    """

    doing: str
    step: int
    of: int
    tasks: tuple[TaskId, ...] = ()
    check: str = ""


ReportProgress = Callable[[Progress], None]
"""Called with the progress of planning: at most once for each branch and kind of work."""


def ignore_progress(progress: Progress) -> None:
    """Do nothing."""
