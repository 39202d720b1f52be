"""A background thread that does the newest job: values in, values out through a queue."""

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
    """Tells a job that its result is no longer needed. `cancel` may be called from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel the job, and stop what it waits for."""
        self._event.set()
        with self._lock:
            if self._stop is not None:
                self._stop()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called when the job is cancelled, from now until the block ends."""
        with self._lock:
            self._stop = stop
        if self.is_set:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None


class Outcome(msgspec.Struct, Generic[_Job, _Result], frozen=True):
    """What came of a job: a result, or the error that it ended with."""

    job: _Job
    result: _Result | None = None
    error: Exception | None = None


class LatestWinsWorker(Generic[_Job, _Result]):
    """One thread that does one job at a time, and the newest one next.

    `work` takes a job and returns a result; it shares nothing with the thread that submits. Each job that was begun
    ends as one `Outcome` in `outcomes`, unless a newer one superseded it; `wake` is called after each. A running job is
    cancelled when a newer one `supersedes` it.
    """

    def __init__(
        self,
        work: Callable[[_Job, Cancellation], _Result],
        outcomes: queue.SimpleQueue[Outcome[_Job, _Result]],
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
        """Whether no job runs or waits. The outcomes of all earlier jobs are in the queue then."""
        with self._changed:
            return self._next is None and self._running is None

    def submit(self, job: _Job) -> None:
        """Have a job done; it takes the place of one that waits."""
        with self._changed:
            self._next = job
            running = self._running
            self._changed.notify_all()
        if running is not None and self.supersedes(job, running[0]):
            running[1].cancel()

    def close(self) -> None:
        """Cancel what runs, and wait for the thread to end."""
        with self._changed:
            self._closed, self._next = True, None
            self._changed.notify_all()
        while self._thread.is_alive():
            with self._changed:
                running = self._running
            if running is not None:
                running[1].cancel()  # again each time: it may just have started something
            self._thread.join(_JOIN_SECONDS)

    def _loop(self) -> None:
        while (taken := self._take()) is not None:
            job, cancellation = taken
            outcome = self._do(job, cancellation)
            # in this order: a worker that is idle has delivered everything
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

    def _do(self, job: _Job, cancellation: Cancellation) -> Outcome[_Job, _Result] | None:
        try:
            return Outcome(job, self.work(job, cancellation))
        except Superseded:
            return None
        except Exception as error:  # raised by the thread that reads the outcomes
            return Outcome(job, error=error)
