"""Who turns a union red: the smallest set of tasks that is red together, found with few checks.

The first step that turns red is found by splitting the order; what it needs in order to be red is found in the same
way among the tasks before it, one after the other. A set of k among n tasks takes about k log n trees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence

from gitorch.flow.merge.blame import Guilty
from gitorch.flow.merge.plan import Planner
from gitorch.flow.merge.trials import Results, Trial, Trials, failing
from gitorch.flow.merge.values import Plan, Progress
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id

_LOOKING = "look for what fails together"


class Search:
    """Looks for what is red in the plans of one planner."""

    def __init__(self, planner: Planner, trials: Trials) -> None:
        self.planner = planner
        self.trials = trials
        self.red_base: Results = ()
        self._base_is_known = False

    def first_red(self, made: Plan) -> Generator[Progress, None, int | None]:
        """Return the place of the first step that turns a plan red; None for a green plan, or one with a red base."""
        if made.verify == "each":
            return (yield from self._first_of_each(made))
        whole = _trial(made, len(made.steps))
        if (yield from self.trials.judge([whole], "check the union"))[0]:
            return None
        if not (yield from self._base_is_green(made)):
            return 0
        if (yield from self.trials.retry(whole)):
            return None
        if made.verify == "end":
            return 0
        return (yield from self._first_of_prefixes(made))

    def _first_of_each(self, made: Plan) -> Generator[Progress, None, int | None]:
        at = 0
        while at < len(made.steps):
            ends = range(at + 1, min(at + self.trials.width, len(made.steps)) + 1)
            trials = [_trial(made, end) for end in ends]
            greens = yield from self.trials.judge(trials, "check each step")
            if all(greens):
                at = ends[-1]
                continue
            at += greens.index(False)
            if at == 0 and not (yield from self._base_is_green(made)):
                return 0
            if not (yield from self.trials.retry(trials[greens.index(False)])):
                return at
        return None

    def _base_is_green(self, made: Plan) -> Generator[Progress, None, bool]:
        """Check what everything stands on; called before any task is blamed."""
        if not self._base_is_known:
            base = Trial(made.onto, ())
            if not (yield from self.trials.judge([base], "check the base"))[0] and not (
                yield from self.trials.retry(base)
            ):
                self.red_base = self.trials.results(made.onto)
            self._base_is_known = True
        return not self.red_base

    def _first_of_prefixes(self, made: Plan) -> Generator[Progress, None, int]:
        suspect = yield from self._suspect(made)
        if suspect is not None:
            return suspect
        return (yield from self._split(lambda end: _trial(made, end), len(made.steps))) - 1

    def _suspect(self, made: Plan) -> Generator[Progress, None, int | None]:
        """Return the place of a task that is red alone and was approved although its own checks fail."""
        tasks = by_id(step.task for step in made.steps)
        for at, step in enumerate(made.steps):
            if step.task.passed is False and not (yield from self._is_green([step.task], tasks)):
                return at
        return None

    def _split(self, at: Callable[[int], Trial | None], high: int) -> Generator[Progress, None, int]:
        """Return the least end whose trial is red although the one before it is green; 0 is green and `high` is red.

        As many places are tried at once as trees are judged at once. A trial that cannot be made (None) tells nothing
        and counts as green.
        """
        low = 0
        while high - low > 1:
            ends = _between(low, high, self.trials.width)
            made = [(end, trial) for end in ends if (trial := at(end)) is not None]
            greens = yield from self.trials.judge([trial for _, trial in made], _LOOKING)
            reds = [end for (end, _), is_green in zip(made, greens, strict=True) if not is_green]
            high = min(reds, default=high)
            low = max((end for end in ends if end < high), default=low)
        return high

    def guilty(self, order: Sequence[Task], at: int) -> Generator[Progress, None, Guilty | None]:
        """Return the smallest set that makes the step at a place red; None where that was a flake.

        `order[:at]` is green, and `order[: at + 1]` is red. Each member was checked alone, with what it builds on, so
        that "green alone, red together" is what was seen.
        """
        tasks = by_id(order)
        members = [order[at]]
        before = list(order[:at])
        while (yield from self._is_green(members, tasks)):
            inside = graph.closure([task.id for task in members], tasks)
            before = [task for task in before if task.id not in inside]
            if not before:
                break
            end = yield from self._split(self._beside(inside, before, tasks), len(before))
            members.append(before[end - 1])
            before = before[: end - 1]
        return (yield from self._sure(members, tasks))

    def _beside(
        self, inside: Collection[TaskId], before: Sequence[Task], tasks: Mapping[TaskId, Task]
    ) -> Callable[[int], Trial | None]:
        """Return how to make the union of a set and the first `end` of the tasks before it."""
        return lambda end: self._trial({*inside, *(task.id for task in before[:end])}, tasks)

    def _trial(self, names: Collection[TaskId], tasks: Mapping[TaskId, Task]) -> Trial | None:
        chosen = [task for name, task in tasks.items() if name in names]
        commit = self.planner.union(chosen)
        return None if commit is None else Trial(commit, tuple(task.id for task in chosen))

    def _closed(self, members: Sequence[Task], tasks: Mapping[TaskId, Task]) -> Trial | None:
        return self._trial(graph.closure([task.id for task in members], tasks), tasks)

    def _is_green(self, members: Sequence[Task], tasks: Mapping[TaskId, Task]) -> Generator[Progress, None, bool]:
        trial = self._closed(members, tasks)
        return trial is None or (yield from self.trials.judge([trial], _alone(members)))[0]

    def _sure(self, members: Sequence[Task], tasks: Mapping[TaskId, Task]) -> Generator[Progress, None, Guilty | None]:
        """Return the members as guilty after a second look at their union, and at each of them alone."""
        union = self._closed(members, tasks)
        assert union is not None, "a set that was seen red was made"
        if (yield from self.trials.retry(union)):
            return None
        for member in members if len(members) > 1 else ():
            alone = self._closed([member], tasks)
            if not (yield from self._is_green([member], tasks)) and alone is not None:
                return None if (yield from self.trials.retry(alone)) else self._guilty([member], alone)
        return self._guilty([task for name, task in tasks.items() if task in members], union)

    def _guilty(self, members: Sequence[Task], trial: Trial) -> Guilty:
        first = failing(self.trials.results(trial.commit))[0]
        return Guilty(members=tuple(members), check=first.name, output=first.output)


def _trial(made: Plan, end: int) -> Trial:
    """Return the trial of a plan's first steps."""
    return Trial(made.steps[end - 1].replayed.tip, tuple(step.task.id for step in made.steps[:end]))


def _between(low: int, high: int, count: int) -> list[int]:
    """Return up to `count` places that split what is between two places evenly."""
    parts = min(count, high - low - 1) + 1
    return [low + (high - low) * part // parts for part in range(1, parts)]


def _alone(members: Sequence[Task]) -> str:
    names = ", ".join(task.id for task in members)
    return f"check {names} alone" if len(members) == 1 else f"check {names} together"
