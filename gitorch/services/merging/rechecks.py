"""Run the checks of tasks that were rebased, beside the agents of a run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from gitorch.errors import GitorchError
from gitorch.flow.forecast.background_worker import Cancellation, JobOutcome, LatestWinsWorker
from gitorch.model import note
from gitorch.model.naming import TaskId
from gitorch.model.task import CheckResult, Task, commit_range
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import TreeChecker
from gitorch.services.changes import change_with_notes
from gitorch.services.check import with_results
from gitorch.services.configured_checks import checks_for
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe

_WORKTREE = "check_restacked"
_DRAIN_SECONDS = 0.05


class _Job(msgspec.Struct, frozen=True):
    """The checks of one task's tip."""

    task: Task
    checks: dict[str, str]


class Rechecks:
    """Checks the rebased tasks one by one. All methods are for the thread that owns the store."""

    def __init__(self, workspace: Workspace, context: RunContext, wake: Callable[[], None]) -> None:
        self.workspace = workspace
        self._context = context
        self._outcomes: queue.SimpleQueue[JobOutcome[_Job, tuple[CheckResult, ...]]] = queue.SimpleQueue()
        self._worker = LatestWinsWorker(self._check, self._outcomes, wake, lambda _newer, _running: False)
        self._failed: set[TaskId] = set()

    def step(self) -> list[Task]:
        """Record the results that have come, and start the next checks; return the tasks that changed."""
        changed = [task for outcome in self._finished() for task in self._record(outcome)]
        if self._worker.is_idle and (job := self._next()) is not None:
            self._worker.submit(job)
        return changed

    def drain(self, stop: threading.Event) -> Iterator[list[Task]]:
        """Go on until all rebased tasks are checked, or `stop` is set; yield those that changed."""
        while not stop.is_set():
            is_idle = self._worker.is_idle  # first: an idle worker has delivered all outcomes
            if changed := self.step():
                yield changed
            elif is_idle and self._worker.is_idle:
                return
            stop.wait(_DRAIN_SECONDS)

    def close(self) -> None:
        """End the running checks."""
        self._worker.close()

    def _check(self, job: _Job, cancellation: Cancellation) -> tuple[CheckResult, ...]:
        with TreeChecker(self._context, job.checks, name=_WORKTREE) as checker, cancellation.stopping(checker.stop):
            return checker.check(commit_range(job.task)[1])

    def _finished(self) -> Iterator[JobOutcome[_Job, tuple[CheckResult, ...]]]:
        while True:
            try:
                yield self._outcomes.get_nowait()
            except queue.Empty:
                return

    def _record(self, outcome: JobOutcome[_Job, tuple[CheckResult, ...]]) -> list[Task]:
        name = outcome.job.task.id
        current = self.workspace.tasks.get(name)
        if isinstance(outcome.error, GitorchError):
            self._failed.add(name)
            self.workspace.store.notices.append(f"{name} was not checked: {outcome.error.what}")
            return []
        if outcome.error is not None:
            raise outcome.error
        if current is None or current.tip != outcome.job.task.tip or not current.awaits_checks:
            return []
        tip, results = commit_range(current)[1], outcome.result or ()
        lines = {tip: [note.check_line(result) for result in results]}
        pairs = [(current, with_results(current, results))]
        return change_with_notes(self.workspace, "check", pairs, lines, describe("check", [current]))

    def _next(self) -> _Job | None:
        for task in self.workspace.tasks.values():
            if task.awaits_checks and task.id not in self._failed:
                try:
                    checks = checks_for(self.workspace, task)
                except GitorchError as error:
                    self._failed.add(task.id)
                    self.workspace.store.notices.append(f"{task.id} was not checked: {error.what}")
                    continue
                if checks:
                    return _Job(task, dict(checks))
        return None


@contextmanager
def rechecks(workspace: Workspace, context: RunContext, wake: Callable[[], None]) -> Iterator[Rechecks]:
    """Check the rebased tasks during a run."""
    running = Rechecks(workspace, context, wake)
    try:
        yield running
    finally:
        running.close()
