"""Background work of a run: forecast and candidate are kept current, checked, and merged where that is configured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import msgspec

from gitorch.errors import GitorchError, Refused
from gitorch.flow import merge
from gitorch.flow.forecast.background_worker import Keeper
from gitorch.flow.forecast.pairs import Known
from gitorch.flow.merge import Plan, candidate
from gitorch.flow.merge.trees import Judge
from gitorch.model import graph
from gitorch.model.forecast import Candidate, Judgement
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task
from gitorch.replay import Replayer
from gitorch.services import auto_merge
from gitorch.services.candidate import rebuild_candidate
from gitorch.services.forecast import inputs_fingerprint, save_uncommitted, update_forecast
from gitorch.services.forecast_record import save_candidate, saved_candidate, unchecked
from gitorch.services.merge import plan_for, publish, tree_checker
from gitorch.services.merge_base import integration_and_base
from gitorch.services.replaying import open_replayer
from gitorch.services.workspace import Workspace

SAVE_SECONDS = 10.0
_SAVE_SHARE = 50
"""Uncommitted work is saved at most every ten seconds, and at most for a fiftieth of the time."""


class Job(msgspec.Struct, frozen=True):
    """What is to be checked: the candidate with the plan that it was made by, and whether there is work to merge."""

    candidate: tuple[Plan, Candidate] | None
    merging: bool


class Superseded(Exception):
    """The result of a check is no longer needed."""


class BackgroundMerger:
    """What the two background threads of one run do, and the state that they share with nobody else."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.keeper: Keeper[Job] = Keeper(self.refresh, self.check, self.supersedes, self.abandon)
        self._published: list[TaskId] = []
        self._known = Known()
        self._fingerprint: object = None
        self._saved: dict[TaskId, float] = {}
        self._clean: set[TaskId] = set()
        self._records = threading.Lock()
        self._merging = False
        self._submitted: tuple[Plan, Candidate] | None = None
        self._tried: object = None
        self._unmerged: GitorchError | None = None
        self._checker: Judge | None = None
        tasks = workspace.tasks.values()
        self._approved_before = frozenset(task.id for task in tasks if task.state is State.APPROVED)

    def close(self) -> None:
        """End both threads; a check that is going on is abandoned."""
        self.keeper.close()
        saved = saved_candidate(self.workspace)
        if saved and saved.judgement is Judgement.CHECKING:
            save_candidate(self.workspace, unchecked(saved))

    def troubles(self) -> tuple[str, ...]:
        """Return what kept this from being done, as messages; raise an unexpected error."""
        if self.keeper.crash:
            raise self.keeper.crash
        errors = [*self.keeper.troubles.values(), *([self._unmerged] if self._unmerged else [])]
        return tuple(f"{error.what}: {error.why}" if error.why else error.what for error in errors)

    # ------------------------------------------------------------------------------------------- kept current

    def refresh(self) -> Job | None:
        """Rebuild the forecast and the candidate where something has changed."""
        self._save_running()
        fingerprint = inputs_fingerprint(self.workspace)
        if fingerprint == self._fingerprint:
            return None
        with Replayer(self.workspace.repository) as replayer:
            update_forecast(self.workspace, replayer, self._known, self._clean)
            with self._records:
                in_progress = self._submitted[1] if self._submitted else None
                built = rebuild_candidate(self.workspace, replayer, checked=True, in_progress=in_progress)
        self._fingerprint, self._submitted = fingerprint, built or self._submitted
        merging = self._merge_key() not in (None, self._tried)
        # the newest job is the only one: it takes over a candidate whose check has not come to its end
        return Job(self._submitted, merging) if built or merging else None

    def _save_running(self) -> None:
        """Save what running tasks have not committed yet, each at a bounded rate."""
        now = time.monotonic()
        running = [task for task in self.workspace.tasks.values() if task.state is State.RUNNING]
        for task in running:
            if self._saved.get(task.id, 0.0) > now:
                continue
            try:
                saved = save_uncommitted(self.workspace, task)
            except GitorchError:
                saved = None  # its worktree is being changed or removed right now: the next round sees it
            self._clean = self._clean - {task.id} if saved else self._clean | {task.id}
            after = time.monotonic()
            self._saved[task.id] = after + max(SAVE_SECONDS, _SAVE_SHARE * (after - now))
            now = after

    # ------------------------------------------------------------------------------------------------- checked

    def check(self, job: Job, superseded: threading.Event) -> None:
        """Merge what may be merged automatically, and check the candidate."""
        try:
            if job.merging:
                self._unmerged = self._merge_error(superseded)
            if job.candidate:
                self._check(*job.candidate, superseded)
        except Superseded:
            return

    def _merge_error(self, superseded: threading.Event) -> GitorchError | None:
        """Merge, and return what prevented that: the candidate is checked all the same."""
        try:
            self._merge(superseded)
        except GitorchError as error:
            return error
        return None

    def supersedes(self, newer: Job, running: Job) -> bool:  # noqa: ARG002
        """Tell whether a newer job ends the one that runs: not while it merges, which takes work further."""
        return not self._merging

    def abandon(self) -> None:
        """End the check that is going on."""
        if checker := self._checker:
            checker.stop()

    def _check(self, plan: Plan, built: Candidate, superseded: threading.Event) -> None:
        """Check the union of a candidate, and find which tasks fail together."""
        if not self._is_newest(built):
            return
        with Replayer(self.workspace.repository) as replayer:
            verified = self._verified(replayer, plan, "batch", superseded)
        with self._records:
            if self._is_newest(built):
                save_candidate(self.workspace, candidate.judged(built, plan, verified))

    def _is_newest(self, built: Candidate) -> bool:
        return saved_candidate(self.workspace) == built and built.judgement is Judgement.CHECKING

    def _verified(self, replayer: Replayer, plan: Plan, verify: str, superseded: threading.Event) -> Plan:
        def check(
            commit: Oid, *, again: bool = False, saying: Callable[[str], None] = lambda _: None
        ) -> tuple[CheckResult, ...]:
            results = () if superseded.is_set() else checker.check(commit, again=again, saying=saying)
            if superseded.is_set():  # a check that was cut short has no result
                raise Superseded
            return results

        with tree_checker(self.workspace, plan.onto, "candidate") as checker:
            self._checker = checker
            try:
                # one at a time: the worktrees are the agents'
                return _last(merge.verified(replayer, self.workspace.tasks, plan, check, verify, 1))
            finally:
                self._checker = None

    # ------------------------------------------------------------------------------------------------- merged

    def published(self) -> list[Task]:
        """Return the tasks that were merged since the last call."""
        # one by one: the thread that merges may be adding more
        names = [self._published.pop(0) for _ in range(len(self._published))]
        return [self.workspace.tasks[name] for name in names]

    def _mergeable(self) -> list[Task]:
        policy = self.workspace.config.merge.auto
        return auto_merge.mergeable(self.workspace.tasks.values(), policy, self._approved_before)

    def _merge_key(self) -> object:
        """Return what a merge would be made of; None where there is nothing to merge."""
        inputs = [(task.id, task.tip) for task in self._mergeable()]
        return (integration_and_base(self.workspace), inputs) if inputs else None

    def _merge(self, superseded: threading.Event) -> None:
        """Merge all that may be, together, as far as it neither conflicts nor fails the checks."""
        # in this order: a newer job that need not merge because this one does must not end this one
        self._merging = True
        try:
            self._tried = self._merge_key()
            with open_replayer(self.workspace) as replayer:
                plan = plan_for(self.workspace, replayer, graph.merge_order(self._mergeable()))
                if plan.is_stuck and plan.held:
                    raise Refused("base-conflict", plan.held[0].reason, fix=("orchestrate merge --dry-run",))
                verified = self._verified(replayer, plan, self.workspace.config.merge.verify, superseded)
                if verified.steps and all(self._is_unchanged(step.task) for step in verified.steps):
                    # tasks in conflict stay as they are: nobody has asked to merge them
                    result = msgspec.structs.replace(verified, clashes=())
                    publish(self.workspace, replayer, result, auto_merge.verdict_lines(verified))
                    self._published.extend(step.task.id for step in verified.steps)
        finally:
            self._merging = False

    def _is_unchanged(self, task: Task) -> bool:
        current = self.workspace.tasks.get(task.id)
        return current is not None and (current.state, current.tip, current.stale) == (task.state, task.tip, task.stale)


@contextmanager
def background_merger(workspace: Workspace) -> Iterator[BackgroundMerger]:
    """Keep the forecast and the candidate current during a run."""
    merger = BackgroundMerger(workspace)
    merger.keeper.start()
    try:
        yield merger
    finally:
        merger.close()


def _last(steps: Generator[object, None, Plan]) -> Plan:
    """Run a generator to its end; return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plan: Plan = end.value
            return plan
