"""What goes on beside a run: forecast and candidate are kept current, checked, and merged where that is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import GitorchError, Refused
from gitorch.flow.forecast.background_worker import Keeper
from gitorch.flow.forecast.pairs import Known
from gitorch.model import graph, note
from gitorch.model.forecast import Candidate, Judgement
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task
from gitorch.services.forecast import Forecasting, unchecked

if TYPE_CHECKING:
    from gitorch.flow.merge import Plan
    from gitorch.flow.merge.trees import Judge
    from gitorch.replay import Replayer

SAVE_SECONDS = 10.0
_SAVE_SHARE = 50
"""Uncommitted work is saved at most every ten seconds, and at most for a fiftieth of the time."""

AUTO = "merge.auto"
"""Who approved what a run merged by itself."""


class Case(msgspec.Struct, frozen=True):
    """What is to be judged: the candidate with the plan that it was made by, and whether there is work to merge."""

    candidate: tuple[Plan, Candidate] | None
    merging: bool


class Outdated(Exception):
    """Nobody needs to know any more what was being checked."""


class Beside:
    """What the two threads beside one run do, and the state that they share with nobody else."""

    def __init__(self, orchestrator: Forecasting) -> None:
        self.orchestrator = orchestrator
        self.keeper: Keeper[Case] = Keeper(self.refresh, self.judge, self.outdates, self.abandon)
        self._published: list[TaskId] = []
        self._known = Known()
        self._seen: object = None
        self._saved: dict[TaskId, float] = {}
        self._clean: set[TaskId] = set()
        self._records = threading.Lock()
        self._merging = False
        self._handed: tuple[Plan, Candidate] | None = None
        self._tried: object = None
        self._unmerged: GitorchError | None = None
        self._judge: Judge | None = None
        tasks = orchestrator.tasks.values()
        self._before = frozenset(task.id for task in tasks if task.state is State.APPROVED)

    def close(self) -> None:
        """End both threads; a check that is going on is abandoned."""
        self.keeper.close()
        now = self.orchestrator.candidate()
        if now and now.judgement is Judgement.CHECKING:
            self.orchestrator.remember(unchecked(now))

    def troubles(self) -> tuple[str, ...]:
        """Return what kept this from being done, in words; raise what nobody foresaw."""
        if self.keeper.crash:
            raise self.keeper.crash
        found = [*self.keeper.troubles.values(), *([self._unmerged] if self._unmerged else [])]
        return tuple(f"{error.what}: {error.why}" if error.why else error.what for error in found)

    # ------------------------------------------------------------------------------------------- kept current

    def refresh(self) -> Case | None:
        """Make the forecast and the candidate again where something has changed."""
        from gitorch.replay import Replayer

        self._save_running()
        seen = self.orchestrator.sight()
        if seen == self._seen:
            return None
        with Replayer(self.orchestrator.repository) as replayer:
            self.orchestrator.foresee(replayer, self._known, self._clean)
            with self._records:
                under_way = self._handed[1] if self._handed else None
                built = self.orchestrator.rebuild_candidate(replayer, checked=True, under_way=under_way)
        self._seen, self._handed = seen, built or self._handed
        merging = self._merge_key() not in (None, self._tried)
        # the newest case is the only one: it takes over a candidate whose check has not come to its end
        return Case(self._handed, merging) if built or merging else None

    def _save_running(self) -> None:
        """Save what running tasks have not committed yet, each at a bounded rate."""
        now = time.monotonic()
        running = [task for task in self.orchestrator.tasks.values() if task.state is State.RUNNING]
        for task in running:
            if self._saved.get(task.id, 0.0) > now:
                continue
            try:
                saved = self.orchestrator.save_running(task)
            except GitorchError:
                saved = None  # its worktree is being changed or removed right now: the next look sees it
            self._clean = self._clean - {task.id} if saved else self._clean | {task.id}
            after = time.monotonic()
            self._saved[task.id] = after + max(SAVE_SECONDS, _SAVE_SHARE * (after - now))
            now = after

    # ------------------------------------------------------------------------------------------------- judged

    def judge(self, case: Case, outdated: threading.Event) -> None:
        """Merge what may be merged by itself, and check the candidate."""
        try:
            if case.merging:
                self._unmerged = self._kept_from_merging(outdated)
            if case.candidate:
                self._check(*case.candidate, outdated)
        except Outdated:
            return

    def _kept_from_merging(self, outdated: threading.Event) -> GitorchError | None:
        """Merge, and return what kept it from that: the candidate is checked all the same."""
        try:
            self._merge(outdated)
        except GitorchError as error:
            return error
        return None

    def outdates(self, newer: Case, judged: Case) -> bool:  # noqa: ARG002
        """Tell whether a newer case ends the one that is judged: not while it merges, which takes work further."""
        return not self._merging

    def abandon(self) -> None:
        """End the check that is going on."""
        if judge := self._judge:
            judge.stop()

    def _check(self, plan: Plan, made: Candidate, outdated: threading.Event) -> None:
        """Check the union of a candidate, and find who turns it red with whom."""
        from gitorch.flow.merge import candidate
        from gitorch.replay import Replayer

        if not self._is_newest(made):
            return
        with Replayer(self.orchestrator.repository) as replayer:
            found = self._verified(replayer, plan, "batch", outdated)
        with self._records:
            if self._is_newest(made):
                self.orchestrator.remember(candidate.judged(made, plan, found))

    def _is_newest(self, made: Candidate) -> bool:
        now = self.orchestrator.candidate()
        return now == made and made.judgement is Judgement.CHECKING

    def _verified(self, replayer: Replayer, plan: Plan, verify: str, outdated: threading.Event) -> Plan:
        from gitorch.flow import merge

        def check(
            commit: Oid, *, again: bool = False, saying: Callable[[str], None] = lambda _: None
        ) -> tuple[CheckResult, ...]:
            results = () if outdated.is_set() else judge.check(commit, again=again, saying=saying)
            if outdated.is_set():  # what was cut short says nothing
                raise Outdated
            return results

        with self.orchestrator.judge_of(plan.onto, "candidate") as judge:
            self._judge = judge
            try:
                # one at a time: the slots are the agents'
                return _carried(merge.verified(replayer, self.orchestrator.tasks, plan, check, verify, 1))
            finally:
                self._judge = None

    # ------------------------------------------------------------------------------------------------- merged

    def published(self) -> list[Task]:
        """Return the tasks that were merged since this was last asked."""
        # one by one: the thread that merges may be adding more
        names = [self._published.pop(0) for _ in range(len(self._published))]
        return [self.orchestrator.tasks[name] for name in names]

    def _mergeable(self) -> list[Task]:
        """Return what may be merged by itself: what a person approved during this run; with `merge.auto = "finished"`
        all that is approved, and what is finished with green checks."""
        fresh = [task for task in self.orchestrator.tasks.values() if not task.stale]
        if self.orchestrator.config.merge.auto == "approved":
            return [task for task in fresh if task.state is State.APPROVED and task.id not in self._before]
        return [task for task in fresh if task.state is State.APPROVED or _is_green(task)]

    def _merge_key(self) -> object:
        """Return what a merge would be made of; None where there is nothing to merge."""
        made_of = [(task.id, task.tip) for task in self._mergeable()]
        return (self.orchestrator.ground(), made_of) if made_of else None

    def _merge(self, outdated: threading.Event) -> None:
        """Merge all that may be, together, as far as it neither conflicts nor turns the checks red."""
        # in this order: a newer case that need not merge because this one does must not end this one
        self._merging = True
        try:
            self._tried = self._merge_key()
            with self.orchestrator.replaying() as replayer:
                plan = self.orchestrator.plan_of(replayer, graph.merge_order(self._mergeable()))
                if plan.is_stuck and plan.held:
                    raise Refused("base-conflict", plan.held[0].reason, fix=("orchestrate merge --dry-run",))
                found = self._verified(replayer, plan, self.orchestrator.config.merge.verify, outdated)
                if found.steps and all(self._is_unchanged(step.task) for step in found.steps):
                    # what conflicts stays as it is: nobody has asked to merge it
                    self.orchestrator.publish(replayer, msgspec.structs.replace(found, clashes=()), _verdicts(found))
                    self._published.extend(step.task.id for step in found.steps)
        finally:
            self._merging = False

    def _is_unchanged(self, task: Task) -> bool:
        now = self.orchestrator.tasks.get(task.id)
        return now is not None and (now.state, now.tip, now.stale) == (task.state, task.tip, task.stale)


def _carried(steps: Generator[object, None, Plan]) -> Plan:
    """Carry a generator to its end; return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Plan = end.value
            return found


def _is_green(task: Task) -> bool:
    return task.state is State.FINISHED and task.passed is True


def _verdicts(plan: Plan) -> dict[Oid, list[note.Line]]:
    """Return the notes that say who approved what no person has seen."""
    finished = [step for step in plan.steps if step.task.state is State.FINISHED and step.replayed.pairs]
    return {step.replayed.tip: [note.verdict_line(step.task, "approve", AUTO)] for step in finished}
