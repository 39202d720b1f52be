"""Background work of a run: keep forecast and candidate current, check the candidate, merge automatically.

Two threads compute: one forecasts and rebuilds, one checks and prepares merges. They receive values, and return
values through queues. `BackgroundMerger` belongs to the thread that owns the task store: it submits jobs and publishes
their results each time that the run loop calls it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from gitorch.config import seconds
from gitorch.errors import GitorchError
from gitorch.flow.forecast.background_worker import JobOutcome, LatestWinsWorker
from gitorch.flow.merge import MergePlan
from gitorch.flow.merge.planning import candidate
from gitorch.model import graph
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, Forecast
from gitorch.model.naming import TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.rooms.context import RunContext
from gitorch.services.added_credentials import credential_problem
from gitorch.services.merging import auto_merge, merge_signing
from gitorch.services.merging.background_jobs import (
    CheckCandidate,
    CheckedCandidate,
    CheckedPlan,
    Checker,
    Forecaster,
    MergeTasks,
    UpdateForecast,
    UpdateResult,
)
from gitorch.services.merging.candidate import RebuiltCandidate, publish_candidate
from gitorch.services.merging.forecast_record import save_candidate, save_forecast, saved_candidate, unchecked
from gitorch.services.merging.merge import publish_stored
from gitorch.services.merging.replaying import learn_resolutions
from gitorch.services.workspace import Workspace

POLL_SECONDS = 2.0
"""The longest time until a change by another command is noticed."""

SAVE_SECONDS = 10.0
_SAVE_SHARE = 50
"""Uncommitted work is saved at most every ten seconds, and at most for a fiftieth of the time.

That may be seldom where it takes long, but it is never later than `run.rescue_every` says."""

_PAUSE_FACTOR = 9.0
"""The pause after an update, as a multiple of its duration: updates use a tenth of a processor."""

_DRAIN_SECONDS = 0.2


CheckJob = CheckCandidate | MergeTasks
CheckResult = CheckedCandidate | CheckedPlan
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class BackgroundMerger:
    """The background work of one run. All methods are for the thread that owns the store.

    `wake` is called by the background threads when there is something to publish. Tasks are merged only while
    `may_merge`: another program could have written an approval into the task file.
    """

    def __init__(
        self, workspace: Workspace, context: RunContext, wake: Callable[[], None], may_merge: Callable[[], bool]
    ) -> None:
        self.workspace = workspace
        self._may_merge = may_merge
        self._updates: queue.SimpleQueue[JobOutcome[UpdateForecast, UpdateResult]] = queue.SimpleQueue()
        self._checks: queue.SimpleQueue[JobOutcome[CheckJob, CheckResult]] = queue.SimpleQueue()
        self._woken = threading.Event()
        self._wake = wake
        self._forecaster = LatestWinsWorker(Forecaster(context, workspace.loaded).run, self._updates, self._notify)
        checker = Checker(context, workspace.loaded)
        # a newer job does not cancel a merge
        self._checker = LatestWinsWorker(
            checker.run, self._checks, self._notify, lambda _newer, running: isinstance(running, CheckCandidate)
        )
        self.forecast: Forecast | None = None
        self._errors: dict[str, GitorchError] = {}
        self._crash: Exception | None = None
        self._is_due = True
        self._due = 0.0
        self._pause_until = 0.0
        self._fingerprint: object = None
        self._longest_pause = seconds(workspace.config.run.rescue_every) or float("inf")
        self._save_due: dict[TaskId, float] = {}
        self._clean: frozenset[TaskId] = frozenset()
        self._submitted: tuple[MergePlan, Candidate] | None = None
        self._last_merge_key: object = None
        self._merge_job: MergeTasks | None = None
        tasks = workspace.tasks.values()
        self._approved_before = frozenset(task.id for task in tasks if task.state is State.APPROVED)

    def notify_changed(self) -> None:
        """Note that tasks have changed. The next update covers changes that come during the current one."""
        self._is_due = True

    def step(self, *, throttle: bool = True) -> list[Task]:
        """Publish the results of the threads, and submit the next jobs; return the tasks that were merged.

        Never waits for the threads. With `throttle` the rate of updates is limited.
        """
        self._woken.clear()
        merged = [task for outcome in _drain(self._checks) for task in self._finish_check(outcome)]
        for outcome in _drain(self._updates):
            self._finish_update(outcome)
        now = time.monotonic()
        if (
            self._crash is None
            and self._forecaster.is_idle
            and (self._is_due or now >= self._due)
            and (now >= self._pause_until or not throttle)
        ):
            self._is_due, self._due = False, now + POLL_SECONDS
            self._forecaster.submit(self._update_job(now))
        return merged

    def drain(self, stop: threading.Event) -> Iterator[list[Task]]:
        """Continue until all changes are computed, checked and published, or `stop` is set; yield merged tasks."""
        while not stop.is_set():
            # in this order: an idle worker has delivered all outcomes
            is_idle = self._forecaster.is_idle and self._checker.is_idle
            if merged := self.step(throttle=False):
                yield merged
            if is_idle and (self._crash or not self._is_due) and self._forecaster.is_idle and self._checker.is_idle:
                return
            self._woken.wait(_DRAIN_SECONDS)

    def close(self) -> None:
        """End both threads, and abandon a running check."""
        self._forecaster.close()
        self._checker.close()
        saved = saved_candidate(self.workspace)
        if saved and saved.status is CheckStatus.CHECKING:
            save_candidate(self.workspace, unchecked(saved))

    def troubles(self) -> tuple[str, ...]:
        """Return messages for work that failed and has not succeeded since. Raises an unexpected error."""
        if self._crash is not None:
            raise self._crash
        return tuple(f"{error.what}: {error.why}" if error.why else error.what for error in self._errors.values())

    def _notify(self) -> None:
        """Wake the thread that owns the store. Called by the background threads."""
        self._woken.set()
        self._wake()

    # ------------------------------------------------------------------------------------- forecast and candidate

    def _update_job(self, now: float) -> UpdateForecast:
        tasks = dict(self.workspace.tasks)
        running = [task for task in tasks.values() if task.state is State.RUNNING]
        return UpdateForecast(
            tasks=tasks,
            unsaved=tuple(task for task in running if self._save_due.get(task.id, 0.0) <= now),
            clean=self._clean,
            fingerprint=self._fingerprint,
            saved=saved_candidate(self.workspace),
            in_progress=self._submitted[1] if self._submitted else None,
        )

    def _finish_update(self, outcome: JobOutcome[UpdateForecast, UpdateResult]) -> None:
        with self._record_errors("update"):
            updated = _result(outcome)
            now = time.monotonic()
            self._pause_until = now + _PAUSE_FACTOR * updated.seconds
            self._clean = updated.clean
            for name, duration in updated.save_seconds.items():
                self._save_due[name] = now + max(SAVE_SECONDS, min(_SAVE_SHARE * duration, self._longest_pause))
            if updated.forecast is None:
                return
            self.forecast = updated.forecast
            save_forecast(self.workspace, updated.forecast)
            if updated.rebuilt is not None:
                self._submitted = (updated.rebuilt.plan, publish_candidate(self.workspace, updated.rebuilt))
            self._fingerprint = updated.fingerprint
            self._submit_checks(updated)

    def _submit_checks(self, updated: UpdateResult) -> None:
        """Submit a merge of the tasks that can be merged, or else a check of the rebuilt candidate."""
        tasks = tuple(graph.merge_order(self._mergeable()))
        key = (updated.merge_base, [(task.id, task.tip) for task in tasks])
        if tasks and key != self._last_merge_key:
            self._last_merge_key = key
            learn_resolutions(self.workspace)
            self._merge_job = MergeTasks(tasks=dict(self.workspace.tasks), selected=tasks)
            self._checker.submit(self._merge_job)
        elif updated.rebuilt is not None:
            self._submit_candidate()

    def _submit_candidate(self) -> None:
        """Submit a check of the candidate, unless a merge is pending, which it would replace."""
        if self._submitted and self._crash is None and self._merge_job is None and self._is_newest(self._submitted[1]):
            plan, submitted = self._submitted
            self._checker.submit(CheckCandidate(tasks=dict(self.workspace.tasks), plan=plan, candidate=submitted))

    # ------------------------------------------------------------------------------------------ checks and merges

    def _finish_check(self, outcome: JobOutcome[CheckJob, CheckResult]) -> list[Task]:
        """Publish the result of a check; return the tasks that were merged."""
        self._is_due = True
        merged: list[Task] = []
        if isinstance(outcome.job, CheckCandidate):
            with self._record_errors("check"):
                checked = _result(outcome)
                assert isinstance(checked, CheckedCandidate)
                self._save_results(outcome.job, checked)
            return merged
        if outcome.job is self._merge_job:
            self._merge_job = None
        with self._record_errors("merge"):
            verified = _result(outcome)
            assert isinstance(verified, CheckedPlan)
            merged = self._publish(verified)
        if not merged:  # else there will be another candidate
            self._submit_candidate()
        return merged

    def _save_results(self, job: CheckCandidate, checked: CheckedCandidate) -> None:
        """Save the results of the candidate, and move its branch if other resolutions go in than were known before."""
        if not self._is_newest(job.candidate):
            return
        judged = candidate.with_resolutions(checked.judged, checked.plan, checked.tree)
        if judged.tip == job.candidate.tip:
            save_candidate(self.workspace, judged)
            return
        tip = self.workspace.repository.read_ref(branch_ref(judged.branch))
        is_own = tip in (job.candidate.tip, job.candidate.before)
        judged = msgspec.structs.replace(judged, before=tip if is_own else None)
        publish_candidate(self.workspace, RebuiltCandidate(job.plan, judged, tip))

    def _is_newest(self, published: Candidate) -> bool:
        return saved_candidate(self.workspace) == published and published.status is CheckStatus.CHECKING

    def _publish(self, verified: CheckedPlan) -> list[Task]:
        """Publish a merge, unless one of its tasks has changed since; return the tasks that were merged."""
        self.workspace.store.notices.extend(verified.notices)
        plan = verified.plan
        if not plan.steps or not all(self._is_unchanged(step.task) for step in plan.steps) or not self._may_merge():
            return []
        # do not change tasks in conflict: no user asked to merge them
        plan = merge_signing.sign(
            self.workspace, msgspec.structs.replace(plan, conflicts=(), failures=()), by_person=False
        )
        publish_stored(self.workspace, plan, auto_merge.verdict_lines(plan))
        tasks = self.workspace.tasks
        return [tasks[step.task.id] for step in plan.steps]

    def _mergeable(self) -> list[Task]:
        policy = self.workspace.config.merge.auto
        tasks = auto_merge.mergeable(self.workspace.tasks.values(), policy, self._approved_before)
        if not tasks or not self._may_merge():
            return []
        # a person who approves one with credentials has forced it
        return [task for task in tasks if task.state is State.APPROVED or not credential_problem(self.workspace, task)]

    def _is_unchanged(self, task: Task) -> bool:
        current = self.workspace.tasks.get(task.id)
        return current is not None and (current.state, current.tip, current.stale) == (task.state, task.tip, task.stale)

    @contextmanager
    def _record_errors(self, work: str) -> Iterator[None]:
        """Keep an expected error until the same work succeeds; the next change tries again.

        An unexpected error ends the background work, and is raised when the run ends.
        """
        try:
            yield
        except GitorchError as error:
            self._errors[work] = error
        except Exception as error:
            self._crash = self._crash or error
        else:
            self._errors.pop(work, None)


@contextmanager
def background_merger(
    workspace: Workspace, context: RunContext, wake: Callable[[], None], may_merge: Callable[[], bool]
) -> Iterator[BackgroundMerger]:
    """Keep the forecast and the candidate current during a run; the arguments are those of `BackgroundMerger`."""
    merger = BackgroundMerger(workspace, context, wake, may_merge)
    try:
        yield merger
    finally:
        merger.close()


def _drain(outcomes: queue.SimpleQueue[JobOutcome[_Job, _Result]]) -> Iterator[JobOutcome[_Job, _Result]]:
    while True:
        try:
            yield outcomes.get_nowait()
        except queue.Empty:
            return


def _result(outcome: JobOutcome[_Job, _Result]) -> _Result:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    return outcome.result
