"""Resolve what conflicts, and prove it: several proposals, several orders, and a limited number of check runs.

A resolution is proven if its tree is green under the checks of the repository and of every task in it that touches what
it touches, and if each of the tasks in conflict is green alone. Tasks that share no path with the others are resolved
apart from them, so that independent conflicts do not multiply the tries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.resolution.conflict_groups import conflict_groups, smallest_first
from gitorch.flow.merge.resolution.judge import Verdict
from gitorch.flow.merge.resolution.landing import Choices, Landing
from gitorch.flow.merge.resolution.proposed_replay import ProposedReplay
from gitorch.flow.merge.resolution.prover import AlwaysGreen, Prover
from gitorch.flow.merge.resolution.syntax_resolver import alternatives
from gitorch.flow.merge.values import Blocked, MergePlan, Progress, TreeStore
from gitorch.model.generators import drain
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import Resolution, ResolvedFile
from gitorch.model.task import Task, commit_range
from gitorch.replay import CommitRange, Conflicted, Replayed

_MAX_TASKS = 40
"""How many tasks in conflict are tried: a proposal costs up to half a second."""

_MAX_SAME_FAILURES = 2
"""After so many proposals that fail in the same check, the others hardly pass."""

SearchProgress = Generator[Progress, None, "Landing"]


class ReplayProposals(Protocol):
    """Replays commits with one of several proposals for each conflict."""

    def replay(self, commits: CommitRange, onto: Oid, choices: Choices, /) -> ProposedReplay: ...


class TaskPaths(Protocol):
    """What is known of the tasks that went in before: those that touch any of some paths."""

    def touching(self, paths: Iterable[str], /) -> Sequence[Task]: ...


class _Start(NamedTuple):
    """What a search begins with: tasks that are in, those to put on top, in this order, and how many can be in."""

    landing: Landing
    queue: Sequence[Task]
    reach: int


class ResolutionSearch:
    """Puts tasks in conflict on top of a plan. `sizes` are the changed lines of each task; `merged` are earlier tasks.

    `open` holds a resolution of each task that could not be proven, with the reason.
    """

    def __init__(
        self,
        planner: MergePlanner,
        trees: TreeStore,
        proposals: ReplayProposals,
        prover: Prover,
        sizes: Mapping[TaskId, int],
        merged: TaskPaths,
    ) -> None:
        self.planner = planner
        self.trees = trees
        self.proposals = proposals
        self.prover = prover
        self.sizes = sizes
        self.merged = merged
        self.open: dict[TaskId, Resolution] = {}

    def resolve(self, plan: MergePlan, *, reorder: bool) -> SearchProgress:
        """Return the tasks of a plan, and on top of them those whose conflicts have proven resolutions.

        With `reorder` the tasks that share paths with a conflict may also go in the order of their size, if more of
        them go in that way.
        """
        landing = Landing(onto=plan.onto, merged=self.planner.merged, steps=plan.steps, results=plan.results)
        for group in conflict_groups(plan, self.planner.paths, _MAX_TASKS):
            landing = yield from self._resolve_group(landing, group, reorder=reorder)
        return landing

    def _resolve_group(self, landing: Landing, group: Sequence[Task], *, reorder: bool) -> SearchProgress:
        """Return the best of several orders: the one that lets the most tasks in."""
        best = landing
        for start in self._starts(landing, group, reorder=reorder):
            if start.reach > len(best.steps):
                landed = yield from self._land_all(start.landing, start.queue, group, self.prover)
                best = landed if len(landed.steps) > len(best.steps) else best
        return best

    def _starts(self, landing: Landing, group: Sequence[Task], *, reorder: bool) -> list[_Start]:
        """Return where to begin: the most promising first, if all proposals were right."""
        in_order = smallest_first(group, self.sizes)
        queue = [task for task in in_order if task.id not in landing.names]
        on_top = _Start(landing, queue, len(landing.steps) + len(queue))
        # without a check of their own nothing of them can be proven, in no order
        may_land = reorder and any(task.spec.checks for task in group)
        without_group = self._without(landing, group) if may_land else None
        if without_group is None:
            return [on_top]
        starts = [
            _Start(base, tasks, self._reach(base, tasks, group))
            for base, tasks in ((landing, queue), (without_group, in_order))
        ]
        return sorted(starts, key=lambda start: -start.reach)

    def _reach(self, landing: Landing, queue: Sequence[Task], group: Sequence[Task]) -> int:
        """Return how many tasks would be in if every first proposal were right: that costs no check.

        What is not proven even so, because a task has no check of its own, stays open.
        """
        prover = Prover(AlwaysGreen(), 0)
        landed = drain(self._land_all(landing, queue, group, prover), lambda _: None)
        return len(landed.steps)

    def _without(self, landing: Landing, group: Sequence[Task]) -> Landing | None:
        """Return a landing without a group of tasks, which share no path with the others; None if it cannot be made."""
        names = {task.id for task in group}
        reduced = Landing(onto=landing.onto, merged=landing.merged)
        resolutions = {resolution.task: resolution for resolution in landing.resolutions}
        for step in landing.steps:
            if step.task.id in names:
                continue
            replayed = self.proposals.replay(
                _range(step.task, reduced), reduced.tip, landing.choices.get(step.task.id, {})
            )
            if not isinstance(replayed.result, Replayed):
                return None
            new_step = msgspec.structs.replace(step, replayed=replayed.result)
            if resolution := resolutions.get(step.task.id):
                moved_resolution = self._moved(resolution, reduced.tip, replayed.result.tip)
                reduced = reduced.add_resolved(new_step, moved_resolution, landing.choices[step.task.id])
            else:
                reduced = reduced.add(new_step)
        return reduced

    def _moved(self, resolution: Resolution, onto: Oid, tip: Oid) -> Resolution:
        """Return a resolution on another commit: the proof of what follows on top covers its tasks again."""
        return msgspec.structs.replace(resolution, onto=onto, tip=tip, tree=self.trees.tree(tip))

    def _land_all(
        self, landing: Landing, queue: Sequence[Task], group: Sequence[Task], prover: Prover
    ) -> SearchProgress:
        """Put tasks on top, one after the other; those that do not go in are tried again after the others."""
        waiting = queue
        names = {task.id for task in group}
        has_landed = True
        while has_landed:
            has_landed = False
            for number, task in enumerate(waiting):
                yield Progress("prove resolutions", number, len(waiting), (task.id,))
                after = self._land(landing, task, names, prover)
                has_landed = has_landed or after is not landing
                landing = after
            waiting = [task for task in waiting if task.id not in landing.names]
        return landing

    def _land(self, landing: Landing, task: Task, group: set[TaskId], prover: Prover) -> Landing:
        """Return a landing with one more task on top; the same if it does not go in."""
        tried = self.planner.try_on(task, landing.names, landing.tips, landing.tip)
        if isinstance(tried, Blocked):
            return landing
        if isinstance(tried, Conflicted):
            return self._land_resolved(landing, task, group, prover)
        verdict = self._prove(tried.tip, landing, task, group, prover)
        return landing.add(self.planner.step(task, tried), verdict.results) if verdict.is_green else landing

    def _land_resolved(self, landing: Landing, task: Task, group: set[TaskId], prover: Prover) -> Landing:
        """Try the proposals for a task in conflict, until one is proven."""
        commits = _range(task, landing)
        first = self.proposals.replay(commits, landing.tip, {})
        if not isinstance(first.result, Replayed):
            return landing
        failures: Counter[str] = Counter()
        tips: set[Oid] = set()
        for choices in alternatives(first.counts):
            replayed = self.proposals.replay(commits, landing.tip, choices).result
            if not isinstance(replayed, Replayed) or replayed.tip in tips:
                continue
            tips.add(replayed.tip)
            resolution = self._judged(landing, task, replayed, group, prover)
            if resolution.proven:
                self.open.pop(task.id, None)
                return landing.add_resolved(self.planner.step(task, replayed), resolution, choices)
            self.open.setdefault(task.id, resolution)
            failed = next((result.name for result in resolution.checks if not result.passed), "")
            failures[failed] += 1
            if not failed or failures[failed] >= _MAX_SAME_FAILURES:
                break
        return landing

    def _judged(
        self, landing: Landing, task: Task, replayed: Replayed, group: set[TaskId], prover: Prover
    ) -> Resolution:
        """Return a resolution, with whether it is proven."""
        files = tuple(file for part in replayed.resolved for file in part.files if file.needs_proof)
        partners = self._partners(landing, files)
        verdict = prover.judge_parties([task, *partners])
        if verdict.is_green:
            verdict = self._prove(replayed.tip, landing, task, group, prover)
        return Resolution(
            task=task.id,
            partners=tuple(partner.id for partner in partners),
            files=files,
            task_tip=commit_range(task)[1],
            onto=landing.tip,
            tip=replayed.tip,
            tree=self.trees.tree(replayed.tip),
            proven=verdict.is_green,
            reason=verdict.reason,
            checks=verdict.results,
            awaits_checks=not verdict.is_known,
        )

    def _prove(self, tip: Oid, landing: Landing, task: Task, group: set[TaskId], prover: Prover) -> Verdict:
        self.trees.keep(tip)
        return prover.prove(tip, self._judges(landing, task, group))

    def _partners(self, landing: Landing, files: Iterable[ResolvedFile]) -> list[Task]:
        """Return the tasks whose changes meet in these files: those of this merge, else earlier ones."""
        paths = {file.path for file in files}
        partners = [step.task for step in landing.steps if not step.paths.isdisjoint(paths)]
        return partners or [*self.merged.touching(paths)]

    def _judges(self, landing: Landing, task: Task, group: set[TaskId]) -> list[Task]:
        """Return the tasks whose own checks judge a tree.

        That is all that are in and touch what the group touches, or that an earlier resolution concerns.
        """
        paths = frozenset[str]().union(*(self.planner.paths.get(name, frozenset()) for name in group))
        names = {name for earlier in landing.resolutions for name in (earlier.task, *earlier.partners)}
        landed = [step.task for step in landing.steps if step.task.id in names or not step.paths.isdisjoint(paths)]
        return [*self.merged.touching(paths), *landed, task]


def _range(task: Task, landing: Landing) -> CommitRange:
    return CommitRange(*commit_range(task), landing.tips)
