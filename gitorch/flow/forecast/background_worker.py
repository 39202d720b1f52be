"""A background thread that runs the newest job. It receives values, and returns values through a queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import msgspec

_JOIN_SECONDS = 0.2

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Superseded(Exception):
    """The result of a job is no longer needed."""


class Cancellation:
    """A flag that tells a job to stop. `cancel` may be called from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel the job, and call the `stop` of the block it is in."""
        self._event.set()
        with self._lock:
            if self._stop is not None:
                self._stop()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` if the job is cancelled before the block ends."""
        with self._lock:
            self._stop = stop
        if self.is_set:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None


class JobOutcome(msgspec.Struct, Generic[_Job, _Result], frozen=True):
    """The outcome of a job: its result, or the error that it ended with."""

    job: _Job
    result: _Result | None = None
    error: Exception | None = None


class LatestWinsWorker(Generic[_Job, _Result]):
    """One thread that runs one job at a time, always the newest one next.

    `work` takes a job and returns a result; it shares no state with the thread that submits. Each started job puts one
    `JobOutcome` into `outcomes`, unless a newer job superseded it; `wake` is called after each. A running job is
    cancelled if `supersedes(newer, running)` returns true.
    """

    def __init__(
        self,
        work: Callable[[_Job, Cancellation], _Result],
        outcomes: queue.SimpleQueue[JobOutcome[_Job, _Result]],
        wake: Callable[[], None] = lambda: None,
        supersedes: Callable[[_Job, _Job], bool] = lambda _newer, _running: True,
    ) -> None:
        self.work = work
        self.outcomes = outcomes
        self.wake = wake
        self.supersedes = supersedes
        self._changed = threading.Condition()
        self._next: _Job | None = None
        self._running: tuple[_Job, Cancellation] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="background", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether no job runs or waits. If so, the outcomes of all earlier jobs are in the queue."""
        with self._changed:
            return self._next is None and self._running is None

    def submit(self, job: _Job) -> None:
        """Run a job next; it replaces a job that is still waiting."""
        with self._changed:
            self._next = job
            running = self._running
            self._changed.notify_all()
        if running is not None and self.supersedes(job, running[0]):
            running[1].cancel()

    def close(self) -> None:
        """Cancel the running job, and wait for the thread to end."""
        with self._changed:
            self._closed, self._next = True, None
            self._changed.notify_all()
        while self._thread.is_alive():
            with self._changed:
                running = self._running
            if running is not None:
                running[1].cancel()  # on each pass: the job may have just started a process
            self._thread.join(_JOIN_SECONDS)

    def _loop(self) -> None:
        while (next_job := self._take()) is not None:
            job, cancellation = next_job
            outcome = self._run(job, cancellation)
            # in this order: an idle worker has delivered all outcomes
            if outcome is not None:
                self.outcomes.put(outcome)
            with self._changed:
                self._running = None
            self.wake()

    def _take(self) -> tuple[_Job, Cancellation] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._next is not None or self._closed)
            if self._next is None or self._closed:
                return None
            self._running, self._next = (self._next, Cancellation()), None
            return self._running

    def _run(self, job: _Job, cancellation: Cancellation) -> JobOutcome[_Job, _Result] | None:
        try:
            return JobOutcome(job, self.work(job, cancellation))
        except Superseded:
            return None
        except Exception as error:  # the thread that reads the outcomes raises it
            return JobOutcome(job, error=error)
