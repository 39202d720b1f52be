"""The background worker: the newest job wins, what it supersedes is cancelled, and every outcome is delivered."""

from __future__ import annotations

import queue
import threading

import pytest

from gitorch.errors import Refused
from gitorch.flow.forecast.background_worker import Cancellation, JobOutcome, LatestWinsWorker, Superseded

SECONDS = 300.0


class Bench:
    """A worker whose jobs are numbers: each waits until it may go on, and returns its double."""

    def __init__(self) -> None:
        self.outcomes: queue.SimpleQueue[JobOutcome[int, int]] = queue.SimpleQueue()
        self.started: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.go_on = threading.Event()
        self.go_on.set()
        self.is_superseded = True
        self.wakes = 0
        self.worker: LatestWinsWorker[int, int] = LatestWinsWorker(
            self.work, self.outcomes, self.wake, lambda newer, running: self.is_superseded
        )

    def work(self, job: int, cancellation: Cancellation) -> int:
        stopped = threading.Event()
        with cancellation.stopping(stopped.set):
            self.started.put(job)
            while not (self.go_on.wait(0.01) or stopped.is_set()):
                pass
        if cancellation.is_set:
            raise Superseded
        return 2 * job

    def wake(self) -> None:
        self.wakes += 1

    def outcome(self) -> tuple[int, int | None]:
        outcome = self.outcomes.get(timeout=SECONDS)
        assert outcome.error is None
        return outcome.job, outcome.result


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_result_comes_back_with_its_job(bench: Bench) -> None:
    """Each job's result is in the queue before the worker is idle."""
    for job in range(3):
        bench.worker.submit(job)
        assert bench.outcome() == (job, 2 * job)
    bench.worker.close()
    assert bench.worker.is_idle
    assert bench.wakes == 3


def test_jobs_that_wait_are_replaced_by_the_newest(bench: Bench) -> None:
    """While one job runs that is not superseded, of those that follow only the last one is done."""
    bench.is_superseded = False
    bench.go_on.clear()
    bench.worker.submit(1)
    assert bench.started.get(timeout=SECONDS) == 1
    for job in range(2, 40):
        bench.worker.submit(job)
    assert not bench.worker.is_idle
    bench.go_on.set()
    assert [bench.outcome(), bench.outcome()] == [(1, 2), (39, 78)]
    bench.worker.close()
    assert bench.outcomes.empty()


def test_the_newest_wins(bench: Bench) -> None:
    """A job that runs is cancelled for a newer one that supersedes it, and leaves no outcome."""
    bench.go_on.clear()
    bench.worker.submit(1)
    assert bench.started.get(timeout=SECONDS) == 1
    bench.worker.submit(2)
    assert bench.started.get(timeout=SECONDS) == 2
    bench.go_on.set()
    assert bench.outcome() == (2, 4)
    bench.worker.close()
    assert bench.outcomes.empty()


def test_a_worker_is_woken_for_a_job_without_an_outcome(bench: Bench) -> None:
    """Whoever waits for the worker to be idle learns of a job that was superseded, too."""
    bench.go_on.clear()
    bench.worker.submit(1)
    bench.started.get(timeout=SECONDS)
    bench.worker.submit(2)
    bench.started.get(timeout=SECONDS)
    assert bench.wakes == 1
    bench.worker.close()


def test_close_cancels_what_runs(bench: Bench) -> None:
    """`close` stops the job that runs, drops the one that waits, and ends the thread."""
    bench.is_superseded = False
    bench.go_on.clear()
    bench.worker.submit(1)
    assert bench.started.get(timeout=SECONDS) == 1
    bench.worker.submit(2)
    bench.worker.close()
    assert bench.worker.is_idle
    assert bench.outcomes.empty()
    assert bench.started.empty()


def test_what_starts_late_is_stopped_all_the_same() -> None:
    """`stopping` calls at once where the job was cancelled before, and not after its block has ended."""
    cancellation, calls = Cancellation(), []
    with cancellation.stopping(lambda: calls.append("first")):
        pass
    cancellation.cancel()
    assert calls == []
    with cancellation.stopping(lambda: calls.append("second")):
        assert calls == ["second"]
        cancellation.cancel()
    assert calls == ["second", "second"]


@pytest.mark.parametrize("error", [Refused("no", "not now"), ZeroDivisionError()])
def test_an_error_is_delivered(error: Exception) -> None:
    """An error of a job is an outcome: the thread that reads it decides, and the worker goes on."""

    def work(job: int, cancellation: Cancellation) -> int:
        if job == 1:
            raise error
        return job

    outcomes: queue.SimpleQueue[JobOutcome[int, int]] = queue.SimpleQueue()
    worker: LatestWinsWorker[int, int] = LatestWinsWorker(work, outcomes)
    worker.submit(1)
    assert outcomes.get(timeout=SECONDS) == JobOutcome(1, error=error)
    worker.submit(2)
    assert outcomes.get(timeout=SECONDS) == JobOutcome(2, 2)
    worker.close()
