"""Replay tasks on top of each other in memory: which go in, which conflict and with what, which wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from gitorch.flow.merge.planning.plan_draft import PlanDraft
from gitorch.flow.merge.task_error import TaskError, task_error
from gitorch.flow.merge.values import (
    MERGEABLE,
    Blocked,
    MergeConflict,
    MergePlan,
    MergeStep,
    Progress,
    ReportProgress,
    ignore_progress,
)
from gitorch.model import graph
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import State, Task, by_id, commit_range
from gitorch.replay import CommitRange, Conflicted, Replayed, UpstreamCommit

_MAX_PARTNERS = 8
"""How many tasks a conflict is tried with one by one."""


TriedTask = Replayed | Conflicted | Blocked
"""What came of a try to put a task on top of others."""


class RefReader(Protocol):
    """Reads refs, as a repository does."""

    def refs(self, *patterns: str) -> Mapping[Ref, Oid]: ...


class CommitReplayer(Protocol):
    """What a planner needs of a replayer."""

    @property
    def repository(self) -> RefReader: ...

    def read(self, ranges: Iterable[CommitRange], onto: Oid, /) -> None: ...

    def replay(self, commits: CommitRange, onto: Oid, /) -> Replayed | Conflicted: ...

    def paths(self, commits: CommitRange, onto: Oid, /) -> frozenset[str]: ...

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ..., /) -> list[bool]: ...

    def upstream(self, base: Oid, onto: Oid, /) -> list[UpstreamCommit]: ...


class MergePlanner:
    """Makes plans on one commit, and caches the replays."""

    def __init__(
        self,
        replayer: CommitReplayer,
        tasks: Mapping[TaskId, Task],
        before: Oid | None,
        onto: Oid,
        report: ReportProgress = ignore_progress,
    ) -> None:
        self.replayer = replayer
        self.tasks = tasks
        self.before = before
        self.onto = onto
        self.paths: dict[TaskId, frozenset[str]] = {}
        self.replays = 0
        self._rooted: dict[TaskId, bool] = {}
        self._replayed: dict[tuple[CommitRange, Oid], Replayed | Conflicted | TaskError] = {}
        self._unreadable: dict[TaskId, TaskError] = {}
        self._report = report
        self._reported: set[tuple[str, TaskId]] = set()

    def report(self, doing: str, step: int, of: int, task: Task) -> None:
        """Report the current work on a task, once."""
        if (doing, task.id) not in self._reported:
            self._reported.add((doing, task.id))
            self._report(Progress(doing, step, of, (task.id,)))

    def read(self, tasks: Sequence[Task]) -> None:
        """Read the changes of these tasks: all at once, or one by one if one of them cannot be read."""
        try:
            self._read(tasks)
        except Exception as error:  # of one task or another: the merge continues without it
            if len(tasks) == 1:
                self._unreadable[tasks[0].id] = task_error(error)
            else:
                task_error(error)
                for task in tasks:
                    self.read([task])

    def _read(self, tasks: Sequence[Task]) -> None:
        with_tip = [task for task in tasks if task.tip is not None]
        # all of them at once: which of the merged ones are rooted is only known afterwards
        merged = tuple(commits.tip for commits in self._merged_ranges)
        self.replayer.read([self._range(task, merged) for task in with_tip], self.onto)
        ranges = [self._range(task, self.merged) for task in with_tip]
        # the first task may go in unchanged; the others are then replayed on its tip
        self.replayer.read([*ranges, *(CommitRange(commits.tip, commits.tip) for commits in ranges)], self.onto)
        for task, commits in zip(with_tip, ranges, strict=True):
            self.paths[task.id] = self.replayer.paths(commits, self.onto)

    @cached_property
    def _merged_ranges(self) -> list[CommitRange]:
        merged = (task for task in self.tasks.values() if task.state is State.MERGED and task.tip)
        return [CommitRange(*commit_range(task)) for task in merged]

    @cached_property
    def merged(self) -> tuple[Oid, ...]:
        """The tips of the merged tasks whose branches are in with everything that they reach."""
        rooted = self.replayer.rooted(self._merged_ranges, self.onto) if self._merged_ranges else []
        return tuple(commits.tip for commits, is_rooted in zip(self._merged_ranges, rooted, strict=True) if is_rooted)

    def is_rooted(self, task: Task) -> bool:
        """Return whether everything that a task's tip reaches is in, once the task and what it waits for are in.

        It is not if its branch starts on commits of another task that it does not wait for, or that has changed since.
        """
        if task.id not in self._rooted:
            names = graph.closure(task.spec.after, self.tasks)
            below = [self.tasks[name] for name in sorted(names) if self.tasks[name].tip]
            ranges = [CommitRange(*commit_range(entry)) for entry in (*below, task)]
            self._rooted[task.id] = self.replayer.rooted(ranges, self.onto, self.merged)[-1]
        return self._rooted[task.id]

    def step(self, task: Task, replayed: Replayed) -> MergeStep:
        """Return the step of a task that goes in."""
        return MergeStep(task=task, replayed=replayed, paths=self.paths[task.id], rooted=self.is_rooted(task))

    def plan_order(self, order: Sequence[Task], left_out: Mapping[TaskId, str] | None = None) -> MergePlan:
        """Return the plan of these tasks in this order; `left_out` says why other tasks do not go in."""
        draft = self._draft(order, left_out or {})
        return MergePlan(
            before=self.before,
            onto=self.onto,
            order=tuple(order),
            steps=tuple(draft.steps),
            conflicts=tuple(self._conflicts(draft.conflicts(order), draft.steps)),
            blocked=tuple(draft.blocked(order)),
        )

    def _draft(self, order: Sequence[Task], left_out: Mapping[TaskId, str]) -> PlanDraft:
        """Try each task in this order, and those in conflict again while later tasks change what they conflict in."""
        draft = PlanDraft(self.onto, left_out)
        waiting = list(order)
        while waiting:
            for number, task in enumerate(waiting):
                self.report("replay", number, len(waiting), task)
                self._try(task, draft)
            waiting = draft.retries(order)
        return draft

    def _try(self, task: Task, draft: PlanDraft) -> None:
        """Put a task on top of those that are in, or say what keeps it out."""
        if reason := self._why_blocked(task, {step.task.id for step in draft.steps}, draft.reasons):
            draft.block(Blocked(task, reason))
            return
        replayed = self._replay(task, (*self.merged, *draft.tips), draft.tip)
        if isinstance(replayed, TaskError):
            draft.block(Blocked(task, replayed.reason, replayed))
        elif isinstance(replayed, Conflicted):
            draft.conflict(task, replayed, self.paths[task.id])
        else:
            draft.add(self.step(task, replayed))

    def reuse_replays(self, plan: MergePlan) -> None:
        """Reuse the replays of another planner on the same base, to get the same commits."""
        tip, merged = self.onto, self.merged
        for step in plan.steps:
            self._replayed[self._range(step.task, merged), tip] = step.replayed
            self.paths[step.task.id] = step.paths
            self._rooted[step.task.id] = step.rooted
            tip, merged = step.replayed.tip, (*merged, *step.tips)

    def union(self, order: Sequence[Task]) -> Oid | None:
        """Return the tip of these tasks on top of each other; None if they do not all go in."""
        tip, merged = self.onto, self.merged
        for task in order:
            replayed = self._replay(task, merged, tip)
            if not isinstance(replayed, Replayed):
                return None
            tip, merged = replayed.tip, (*merged, *self.step(task, replayed).tips)
        return tip

    def count(self, order: Sequence[Task]) -> int:
        """Return how many of these tasks go in, in this order."""
        return len(self._draft(order, {}).steps)

    def try_on(self, task: Task, names: Collection[TaskId], merged: tuple[Oid, ...], onto: Oid) -> TriedTask:
        """Replay a task on a commit in which these tasks are, or return why it has to wait.

        `merged` are the tips of all that went in before.
        """
        if reason := self._why_blocked(task, names, {}):
            return Blocked(task, reason)
        replayed = self._replay(task, merged, onto)
        return Blocked(task, replayed.reason, replayed) if isinstance(replayed, TaskError) else replayed

    def _replay(self, task: Task, merged: tuple[Oid, ...], onto: Oid) -> Replayed | Conflicted | TaskError:
        if task.id in self._unreadable:
            return self._unreadable[task.id]
        commits = self._range(task, merged)
        if (commits, onto) not in self._replayed:
            self.replays += 1
            try:
                self._replayed[commits, onto] = self.replayer.replay(commits, onto)
            except Exception as error:  # whatever this task causes, the others go in
                self._replayed[commits, onto] = task_error(error)
        return self._replayed[commits, onto]

    def _range(self, task: Task, merged: tuple[Oid, ...]) -> CommitRange:
        return CommitRange(*commit_range(task), merged)

    def _why_blocked(self, task: Task, names: Collection[TaskId], reasons: Mapping[TaskId, str]) -> str:
        """Return why a task has to wait when these tasks are in; empty if it can go in."""
        if task.tip is None:
            return "it has no commits"
        for name in task.spec.after:
            if name in self.tasks and self.tasks[name].state is not State.MERGED and name not in names:
                return f"it builds on {name}, {reasons.get(name) or _why_missing(self.tasks[name])}"
        tip = self._branch_tips.get(branch_ref(task.branch))
        if tip is None:
            return f"the branch {task.branch} is gone: rename or restore it (its tip was {task.tip[:12]})"
        if tip == task.tip:
            return ""
        if task.state is State.APPROVED:
            return f"{task.branch} has moved since it was approved: approve it again"
        return f"{task.branch} has moved since its attempt: look at it again"

    @cached_property
    def _branch_tips(self) -> Mapping[Ref, Oid]:
        return self.replayer.repository.refs("refs/heads")

    def _conflicts(
        self, conflicts: Sequence[tuple[Task, Conflicted]], steps: Sequence[MergeStep]
    ) -> Iterator[MergeConflict]:
        for number, (task, conflict) in enumerate(conflicts):
            self.report("conflicts", number, len(conflicts), task)
            partners = self._partners(task, conflict, steps)
            yield MergeConflict(task=task, paths=conflict.paths, partners=partners, conflict=conflict)

    def _partners(self, task: Task, conflict: Conflicted, steps: Sequence[MergeStep]) -> tuple[TaskId, ...]:
        """Return the tasks that this one conflicts with: those without which it would go in."""
        merging = by_id(step.task for step in steps)
        needed = graph.closure(task.spec.after, merging)
        if self.union([*self._select(needed, merging), task]) is None:
            return tuple(step.task.id for step in steps if step.task.id in needed and self._touches(step, conflict))
        unneeded = [step for step in steps if step.task.id not in needed]
        in_conflict = [step.task.id for step in unneeded if self._touches(step, conflict)]
        sharing = [step.task.id for step in unneeded if step.paths.intersection(self.paths[task.id])]
        candidates = list(dict.fromkeys([*in_conflict, *sharing]))[:_MAX_PARTNERS]
        partners = {name for name in candidates if self._conflicts_with(task, name, merging)} or {*in_conflict}
        return tuple(name for name in merging if name in partners) or self._first_partner(task, needed, steps)

    def _touches(self, step: MergeStep, conflict: Conflicted) -> bool:
        return bool(step.paths.intersection(conflict.paths))

    def _conflicts_with(self, task: Task, partner: TaskId, merging: Mapping[TaskId, Task]) -> bool:
        names = graph.closure([*task.spec.after, partner], merging)
        return self.union([*self._select(names, merging), task]) is None

    def _select(self, names: Collection[TaskId], tasks: Mapping[TaskId, Task]) -> list[Task]:
        return [task for name, task in tasks.items() if name in names]

    def _first_partner(self, task: Task, needed: Collection[TaskId], steps: Sequence[MergeStep]) -> tuple[TaskId, ...]:
        """Return the task that causes a conflict without sharing a path, such as a renamed folder: found by bisection.

        Empty if no task is in.
        """
        low = max((number for number, step in enumerate(steps, start=1) if step.task.id in needed), default=0)
        high = len(steps)
        while high - low > 1:
            middle = (low + high) // 2
            merged = (*self.merged, *(tip for step in steps[:middle] for tip in step.tips))
            conflicts = isinstance(self._replay(task, merged, steps[middle - 1].replayed.tip), Conflicted)
            low, high = (low, middle) if conflicts else (middle, high)
        return (steps[high - 1].task.id,) if steps else ()


def _why_missing(task: Task) -> str:
    return "which is left out" if task.state in MERGEABLE else f"which is {task.state}, not approved"
