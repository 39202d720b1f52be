"""Find a minimal set of tasks whose union fails the checks, with few checks.

The first step that fails is found by dividing the order where it is as likely before as behind. What it needs in order
to fail is found among the earlier tasks in the same way, one task after the other. A set of k among n tasks takes about
k log2 n trees, less where its members share paths.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Protocol

from gitorch.flow.merge.blame.position_odds import PositionOdds, closeness
from gitorch.flow.merge.check_runner import CheckRunner, TaskUnion, failing
from gitorch.flow.merge.values import FailingSet, MergePlan, Progress, Results
from gitorch.model import graph
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task, by_id

_SEARCHING = "find what fails together"


class UnionBuilder(Protocol):
    """Builds unions of tasks, as a planner does."""

    @property
    def paths(self) -> Mapping[TaskId, frozenset[str]]: ...

    def union(self, order: Sequence[Task], /) -> Oid | None: ...


class FailingSetSearch:
    """Searches the plans of one planner; `red_base` holds the results of a base that fails without any task."""

    def __init__(self, planner: UnionBuilder, runner: CheckRunner) -> None:
        self.planner = planner
        self.runner = runner
        self.red_base: Results = ()
        self._base: Oid | None = None
        self._is_base_checked = False

    def first_red(self, plan: MergePlan) -> Generator[Progress, None, int | None]:
        """Return the position of the first step that fails; None if the plan is green. 0 if the base is red.

        The base is checked unless some of the tasks are green on it.
        """
        self._base = plan.onto
        if self.red_base:
            return 0
        if plan.verify == "each":
            return (yield from self._first_red_step(plan))
        union = _prefix(plan, len(plan.steps))
        if (yield from self.runner.run([union], "check the union"))[0]:
            return None
        if plan.verify == "end":
            is_base_green = yield from self._is_base_green()
            return None if is_base_green and (yield from self.runner.retry(union)) else 0
        if (yield from self.runner.retry(union)):
            return None
        return (yield from self._first_red_prefix(plan))

    def _first_red_step(self, plan: MergePlan) -> Generator[Progress, None, int | None]:
        start = 0
        while start < len(plan.steps):
            ends = range(start + 1, min(start + self.runner.width, len(plan.steps)) + 1)
            unions = [_prefix(plan, end) for end in ends]
            greens = yield from self.runner.run(unions, "check each step")
            if all(greens):
                start = ends[-1]
                continue
            start += greens.index(False)
            if start == 0 and not (yield from self._is_base_green()):
                return 0
            if not (yield from self.runner.retry(unions[greens.index(False)])):
                return start
        return None

    def _is_base_green(self) -> Generator[Progress, None, bool]:
        """Check the base, before a task is blamed for what no other one has passed."""
        if not self._is_base_checked and self._base is not None:
            base = TaskUnion(self._base, ())
            (is_green,) = yield from self.runner.run([base], "check the base")
            if not is_green and not (yield from self.runner.retry(base)):
                self.red_base = self.runner.results(self._base)
            self._is_base_checked = True
        return not self.red_base

    def _first_red_prefix(self, plan: MergePlan) -> Generator[Progress, None, int]:
        suspect = yield from self._suspect(plan)
        if suspect is not None or self.red_base:
            return suspect or 0
        odds = PositionOdds([1.0] * len(plan.steps), 0)
        end = yield from self.bisect(lambda end: _prefix(plan, end), len(plan.steps), odds, needs_base=True)
        return max(0, end - 1)

    def _suspect(self, plan: MergePlan) -> Generator[Progress, None, int | None]:
        """Return the position of a task that was approved although its own checks failed, and that fails alone."""
        tasks = by_id(step.task for step in plan.steps)
        for position, step in enumerate(plan.steps):
            if step.task.passed is False and not (yield from self._is_green([step.task], tasks)):
                return position if (yield from self._is_base_green()) else None
        return None

    def bisect(
        self, union_at: Callable[[int], TaskUnion | None], high: int, odds: PositionOdds, *, needs_base: bool = False
    ) -> Generator[Progress, None, int]:
        """Return an end whose union is red although the one before it is green; 0 is green and `high` is red.

        Tries as many ends at once as trees can be checked concurrently. A union that cannot be built (None) counts as
        green. With `needs_base` the union of nothing is checked, unless another one is green; returns 0 if it is red.
        """
        low = 0
        while high - low > 1:
            ends = odds.divide(low, high, self.runner.width)
            unions = {end: union for end in ends if (union := union_at(end)) is not None}
            greens = yield from self.runner.run(list(unions.values()), _SEARCHING)
            reds = [end for end, is_green in zip(unions, greens, strict=True) if not is_green]
            high = min(reds, default=high)
            low = max((end for end in ends if end < high), default=low)
            if needs_base and low == 0 and not (yield from self._is_base_green()):
                return 0
        if needs_base and low == 0 and not (yield from self._is_base_green()):
            return 0
        return high

    def failing_set(self, order: Sequence[Task], position: int) -> Generator[Progress, None, FailingSet | None]:
        """Return a minimal set with which the task at `position` fails; None for a flake or a red base.

        `order[:position]` is green, and `order[: position + 1]` is red. That task is checked alone, with its
        dependencies, so that "passes alone, fails together" has been observed; the others pass together without it.
        """
        tasks = by_id(order)
        members = [order[position]]
        earlier = list(order[:position])
        while (yield from self._is_green(members, tasks)):
            needed = graph.closure([task.id for task in members], tasks)
            earlier = [task for task in earlier if task.id not in needed]
            if not earlier:
                break
            union_at = self._union_with(needed, earlier, tasks)
            end = yield from self.bisect(union_at, len(earlier), self._odds(members, earlier))
            members.append(earlier[end - 1])
            earlier = earlier[: end - 1]
        if len(members) == 1 and not (yield from self._is_base_green()):
            return None
        return (yield from self._confirm(members, tasks))

    def _odds(self, members: Sequence[Task], earlier: Sequence[Task]) -> PositionOdds:
        paths = self.planner.paths
        known_paths = frozenset[str]().union(*(paths.get(task.id, frozenset()) for task in members))
        return PositionOdds([closeness(paths.get(task.id, frozenset()), known_paths) for task in earlier], len(members))

    def _union_with(
        self, needed: Collection[TaskId], earlier: Sequence[Task], tasks: Mapping[TaskId, Task]
    ) -> Callable[[int], TaskUnion | None]:
        """Return how to build the union of a set and the first `end` of the earlier tasks."""
        return lambda end: self._union({*needed, *(task.id for task in earlier[:end])}, tasks)

    def _union(self, names: Collection[TaskId], tasks: Mapping[TaskId, Task]) -> TaskUnion | None:
        selected = [task for name, task in tasks.items() if name in names]
        commit = self.planner.union(selected)
        return None if commit is None else TaskUnion(commit, tuple(task.id for task in selected))

    def _closed_union(self, members: Sequence[Task], tasks: Mapping[TaskId, Task]) -> TaskUnion | None:
        return self._union(graph.closure([task.id for task in members], tasks), tasks)

    def _is_green(self, members: Sequence[Task], tasks: Mapping[TaskId, Task]) -> Generator[Progress, None, bool]:
        union = self._closed_union(members, tasks)
        return union is None or (yield from self.runner.run([union], _doing(members)))[0]

    def _confirm(
        self, members: Sequence[Task], tasks: Mapping[TaskId, Task]
    ) -> Generator[Progress, None, FailingSet | None]:
        """Return the members as a failing set after another check of their union."""
        union = self._closed_union(members, tasks)
        assert union is not None, "the union failed its checks, so it could be built"
        if (yield from self.runner.retry(union)):
            return None
        return self._failing(members, [task for task in tasks.values() if task in members], union)

    def _failing(self, in_search_order: Sequence[Task], members: Sequence[Task], union: TaskUnion) -> FailingSet:
        first = failing(self.runner.results(union.commit))[0]
        alone = tuple(task.id for task in in_search_order[:1] if len(in_search_order) > 1)
        return FailingSet(members=tuple(members), check=first.name, output=first.output, alone=alone)


def _prefix(plan: MergePlan, end: int) -> TaskUnion:
    """Return the union of a plan's first steps."""
    return TaskUnion(plan.steps[end - 1].replayed.tip, tuple(step.task.id for step in plan.steps[:end]))


def _doing(members: Sequence[Task]) -> str:
    names = ", ".join(task.id for task in members)
    return f"check {names} alone" if len(members) == 1 else f"check {names} together"
