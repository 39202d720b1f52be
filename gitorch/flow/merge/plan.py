"""What a merge would do: which tasks go in and how, which clash, which wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from gitorch.flow.merge.values import MERGEABLE, Clash, Held, Plan, Progress, Step, Tell, silent
from gitorch.model import graph
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import State, Task, by_id, commit_range
from gitorch.replay import Conflicted, Own, Replayed, Replayer

_MOST_PARTNERS = 8
"""With how many tasks a clash is tried one by one."""


def choose(tasks: Mapping[TaskId, Task], names: Iterable[TaskId] | None, skip: Collection[TaskId]) -> list[Task]:
    """Return the tasks to merge, in merge order: the named ones with what they build on, or all that are approved.

    What a named task builds on and is not approved is left out: `plan` says that the task waits for it.
    """
    mergeable = {task.id: task for task in tasks.values() if task.state in MERGEABLE}
    wanted = {*names} | graph.closure(names, mergeable) if names is not None else {*mergeable}
    return graph.merge_order(tasks[name] for name in wanted if name not in skip)


def plan(
    replayer: Replayer,
    tasks: Mapping[TaskId, Task],
    chosen: Sequence[Task],
    before: Oid | None,
    onto: Oid,
    tell: Tell = silent,
) -> Plan:
    """Replay the chosen tasks on top of each other in memory, and say what goes in, what clashes and what waits.

    In merge order; where two clash, in the order of the two that lets more go in. `tell` hears how far it is.
    """
    from gitorch.flow.merge.order import best

    planner = Planner(replayer, tasks, before, onto, tell)
    tell(Progress("read the branches", 0, 1))
    planner.read(chosen)
    return best(planner, chosen)


class Planner:
    """Makes plans on one commit; a replay that was made once is not made again."""

    def __init__(
        self,
        replayer: Replayer,
        tasks: Mapping[TaskId, Task],
        before: Oid | None,
        onto: Oid,
        tell: Tell = silent,
    ) -> None:
        self.replayer = replayer
        self.tasks = tasks
        self.before = before
        self.onto = onto
        self.paths: dict[TaskId, frozenset[str]] = {}
        self.replays = 0
        self.merged = tuple(task.tip for task in tasks.values() if task.state is State.MERGED and task.tip)
        self._known: dict[tuple[Own, Oid], Replayed | Conflicted] = {}
        self._tell = tell
        self._told: set[tuple[str, TaskId]] = set()

    def say(self, doing: str, step: int, of: int, task: Task) -> None:
        """Tell what is being done with a task, once."""
        if (doing, task.id) not in self._told:
            self._told.add((doing, task.id))
            self._tell(Progress(doing, step, of, (task.id,)))

    def read(self, chosen: Sequence[Task]) -> None:
        """Read what these tasks change, all at once."""
        whole = [task for task in chosen if task.tip is not None]
        owns = [self._own(task, self.merged) for task in whole]
        # a task that goes in first may be kept as it is: the others are then replayed on its own tip
        self.replayer.read([*owns, *(Own(own.tip, own.tip) for own in owns)], self.onto)
        self.paths |= {task.id: self.replayer.paths(own, self.onto) for task, own in zip(whole, owns, strict=True)}

    def lay(self, order: Sequence[Task], left_out: Mapping[TaskId, str] | None = None) -> Plan:
        """Return the plan of these tasks in this order; `left_out` says why others of them do not go in."""
        steps: list[Step] = []
        clashes: list[tuple[Task, Conflicted]] = []
        held: list[Held] = []
        out = dict(left_out or {})
        here, others = self.onto, self.merged
        for at, task in enumerate(order):
            self.say("replay", at, len(order), task)
            if reason := self._waits(task, {step.task.id for step in steps}, out):
                held.append(Held(task, reason))
                out[task.id] = "which waits"
                continue
            replayed = self._replay(task, others, here)
            if isinstance(replayed, Conflicted):
                clashes.append((task, replayed))
                out[task.id] = "which conflicts"
                continue
            steps.append(Step(task=task, replayed=replayed, paths=self.paths[task.id]))
            here = replayed.tip
            others = (*others, self._own(task, ()).tip)
        found = tuple(self._clashes(clashes, steps))
        return Plan(
            before=self.before,
            onto=self.onto,
            order=tuple(order),
            steps=tuple(steps),
            clashes=found,
            held=tuple(held),
        )

    def adopt(self, made: Plan) -> None:
        """Take over what another planner has replayed on the same base, so that the same commits come out."""
        here, others = self.onto, self.merged
        for step in made.steps:
            self._known[self._own(step.task, others), here] = step.replayed
            self.paths[step.task.id] = step.paths
            here, others = step.replayed.tip, (*others, self._own(step.task, ()).tip)

    def union(self, order: Sequence[Task]) -> Oid | None:
        """Return the tip of these tasks on top of each other; None where they do not all go in."""
        here, others = self.onto, self.merged
        for task in order:
            replayed = self._replay(task, others, here)
            if isinstance(replayed, Conflicted):
                return None
            here, others = replayed.tip, (*others, self._own(task, ()).tip)
        return here

    def count(self, order: Sequence[Task]) -> int:
        """Return how many of these tasks go in, in this order."""
        inside: set[TaskId] = set()
        here, others = self.onto, self.merged
        for task in order:
            if not self._waits(task, inside, {}):
                replayed = self._replay(task, others, here)
                if isinstance(replayed, Replayed):
                    here, others = replayed.tip, (*others, self._own(task, ()).tip)
                    inside.add(task.id)
        return len(inside)

    def _replay(self, task: Task, others: tuple[Oid, ...], here: Oid) -> Replayed | Conflicted:
        own = self._own(task, others)
        if (own, here) not in self._known:
            self.replays += 1
            self._known[own, here] = self.replayer.replay(own, here)
        return self._known[own, here]

    def _own(self, task: Task, others: tuple[Oid, ...]) -> Own:
        return Own(*commit_range(task), others)

    def _waits(self, task: Task, inside: Collection[TaskId], out: Mapping[TaskId, str]) -> str:
        """Return what a task has to wait for; empty where it can go in."""
        if task.tip is None:
            return "it has no commits"
        for name in task.spec.after:
            if name in self.tasks and self.tasks[name].state is not State.MERGED and name not in inside:
                return f"it builds on {name}, {out.get(name) or _standing(self.tasks[name])}"
        now = self._heads.get(branch_ref(task.branch))
        return "" if now == task.tip else f"{task.branch} has moved since it was approved: approve it again"

    @cached_property
    def _heads(self) -> Mapping[Ref, Oid]:
        return self.replayer.repository.refs("refs/heads")

    def _clashes(self, found: Sequence[tuple[Task, Conflicted]], steps: Sequence[Step]) -> Iterator[Clash]:
        for at, (task, conflict) in enumerate(found):
            self.say("conflicts", at, len(found), task)
            partners = self._partners(task, conflict, steps)
            yield Clash(task=task, paths=conflict.paths, partners=partners, conflict=conflict)

    def _partners(self, task: Task, conflict: Conflicted, steps: Sequence[Step]) -> tuple[TaskId, ...]:
        """Return with which of the tasks that go in this one clashes: those without which it would not."""
        inside = by_id(step.task for step in steps)
        below = graph.closure(task.spec.after, inside)
        if self.union([*self._closed(below, inside), task]) is None:
            return tuple(step.task.id for step in steps if step.task.id in below and self._touch(step, conflict))
        beside = [step for step in steps if step.task.id not in below]
        near = [step.task.id for step in beside if self._touch(step, conflict)]
        far = [step.task.id for step in beside if step.paths.intersection(self.paths[task.id])]
        tried = list(dict.fromkeys([*near, *far]))[:_MOST_PARTNERS]
        found = {name for name in tried if self._clashes_with(task, name, inside)} or {*near}
        return tuple(name for name in inside if name in found) or tuple(self._first(task, below, steps))

    def _touch(self, step: Step, conflict: Conflicted) -> bool:
        return bool(step.paths.intersection(conflict.paths))

    def _clashes_with(self, task: Task, partner: TaskId, inside: Mapping[TaskId, Task]) -> bool:
        return self.union([*self._closed(graph.closure([*task.spec.after, partner], inside), inside), task]) is None

    def _closed(self, names: Collection[TaskId], inside: Mapping[TaskId, Task]) -> list[Task]:
        return [task for name, task in inside.items() if name in names]

    def _first(self, task: Task, below: Collection[TaskId], steps: Sequence[Step]) -> list[TaskId]:
        """Return the task that brought a clash which no path tells of, as a renamed folder: found by halving."""
        low = max((at for at, step in enumerate(steps, start=1) if step.task.id in below), default=0)
        high = len(steps)
        while high - low > 1:
            middle = (low + high) // 2
            others = (*self.merged, *(self._own(step.task, ()).tip for step in steps[:middle]))
            clashes = isinstance(self._replay(task, others, steps[middle - 1].replayed.tip), Conflicted)
            low, high = (low, middle) if clashes else (middle, high)
        return [steps[high - 1].task.id] if steps else []


def _standing(task: Task) -> str:
    return "which is left out" if task.state in MERGEABLE else f"which is {task.state}, not approved"
