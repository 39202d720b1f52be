"""One executor over two: agents with an errand go to the workers, everything else stays on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from gitorch.errors import SetupNeeded
from gitorch.executors.protocol import (
    Capacity,
    ExecutionEvent,
    ExecutionId,
    Executor,
    NotStarted,
    ResourceUsage,
    Spec,
    Status,
    Stream,
    Submitted,
)
from gitorch.model.outcome import Exit

_CAPACITY_SECONDS = 5.0


class Elsewhere(Executor, Protocol):
    """An executor that can say whether it has anything to do with an execution."""

    def knows(self, execution: ExecutionId) -> bool:
        """Return whether anything was done about an execution there, whether or not it was submitted."""


class RoutedExecutor:
    """Both executors take the key as the id. An execution stays where it was submitted, or cancelled, first."""

    def __init__(self, local: Executor, remote: Elsewhere) -> None:
        self._local = local
        self._remote = remote
        self._machines: tuple[float, list[Capacity]] = (0.0, [])

    def _of(self, execution: ExecutionId) -> Executor:
        return self._remote if self._remote.knows(execution) else self._local

    def id_of(self, key: str) -> ExecutionId:
        """Return the id that `submit` returns for a key."""
        return self._local.id_of(key)

    def submit(self, spec: Spec) -> ExecutionId:
        """Start a program, unless its key was started before; one with an errand on a worker."""
        execution = self.id_of(spec.key)
        if spec.errand is None or isinstance(self._local.poll(execution), Exit):
            return self._local.submit(spec)
        return self._remote.submit(spec)

    def poll(self, execution: ExecutionId) -> Status:
        """Return an execution's state without waiting for its end."""
        return self._of(execution).poll(execution)

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        """Wait until an execution has ended."""
        return self._of(execution).wait(execution)

    def cancel(self, execution: ExecutionId, reason: str, *, now: bool = False) -> None:
        """Ask an execution to end, or kill it `now`. One that has not started never starts, wherever it would."""
        if self._remote.knows(execution):
            self._remote.cancel(execution, reason, now=now)
            return
        is_known = not isinstance(self._local.poll(execution), NotStarted)
        self._local.cancel(execution, reason, now=now)
        if not is_known:
            self._remote.cancel(execution, reason, now=now)

    def executions(self, prefix: str) -> list[Submitted]:
        """Return all executions of both, in the order of their submission."""
        submitted = [*self._local.executions(prefix), *self._remote.executions(prefix)]
        return sorted(submitted, key=lambda execution: execution.time)

    def adopt(self, prefix: str) -> list[ExecutionId]:
        """Return the live executions of both."""
        return sorted([*self._local.adopt(prefix), *self._remote.adopt(prefix)])

    def open_output(self, execution: ExecutionId, stream: Stream, *, tail: int | None = None) -> BinaryIO:
        """Open what a program has written so far, or its last `tail` bytes."""
        return self._of(execution).open_output(execution, stream, tail=tail)

    def new_output(
        self, execution: ExecutionId, position: int, *, stream: Stream = "stdout", at_line_start: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Yield what there is of a stream after a position, with the position after each part."""
        return self._of(execution).new_output(execution, position, stream=stream, at_line_start=at_line_start)

    def events(self, execution: ExecutionId) -> Iterator[ExecutionEvent]:
        """Yield the lines of standard output as they are written, and then the exit."""
        return self._of(execution).events(execution)

    def output_location(self, execution: ExecutionId, stream: Stream) -> str:
        """Return where a person can read the output."""
        return self._of(execution).output_location(execution, stream)

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        """Return what a live execution uses now."""
        return self._of(execution).usage(execution)

    def capacity(self) -> list[Capacity]:
        """Return the workers: it is agents that need a slot. The answer may be some seconds old."""
        time_of_answer, machines = self._machines
        if time.monotonic() - time_of_answer > _CAPACITY_SECONDS:
            try:
                machines = self._remote.capacity()
            except SetupNeeded:
                if not time_of_answer:
                    raise
                # the server is away for a while: what was known still holds
            self._machines = (time.monotonic(), machines)
        return machines

    def ack(self, execution: ExecutionId) -> None:
        """Forget an execution that has ended."""
        self._of(execution).ack(execution)
