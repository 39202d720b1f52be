"""Lines of an execution's standard output, with the times at which they were written."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial

from gitorch.executors.output_reader import NewLines
from gitorch.executors.protocol import STREAMS, ExecutionId, Executor, NotStarted, Stream, missing_bytes
from gitorch.executors.write_times import LEAST_SECONDS, WriteTimes
from gitorch.model.outcome import Exit

_LOOK_SECONDS = 0.2
"""The time from one look at the output of a program to the next."""


def timed_lines(executor: Executor, execution: ExecutionId) -> Iterator[tuple[bytes, float | None]]:
    """Yield the output so far, line by line, with the time of each (Unix seconds; None: unknown)."""
    with executor.open_output(execution, "stdout") as lines:
        yield from _timed(executor, execution, lines)


def follow_timed_lines(executor: Executor, execution: ExecutionId) -> Iterator[tuple[bytes, float | None]]:
    """Yield the lines of the output as they are written, in the same way, until the execution has ended."""
    lines = (event for event in executor.events(execution) if not isinstance(event, Exit))
    yield from _timed(executor, execution, lines)


def follow_both_streams(executor: Executor, execution: ExecutionId) -> Iterator[tuple[bytes, float | None]]:
    """Yield the lines of standard output and standard error as they are written, until the execution has ended.

    Only the times of standard output are known.
    """
    looks = {stream: NewLines(partial(_new_output, executor, execution, stream)) for stream in STREAMS}
    times = _LineTimes(executor, execution)
    timer = threading.Event()
    while not isinstance(status := executor.poll(execution), NotStarted):
        # what is read after the end is all that there is
        is_end = isinstance(status, Exit)
        yield from ((line, times.next(line)) for line in looks["stdout"].read(is_end=is_end))
        yield from ((line, None) for line in looks["stderr"].read(is_end=is_end))
        if is_end:
            return
        timer.wait(_LOOK_SECONDS)


def _new_output(
    executor: Executor, execution: ExecutionId, stream: Stream, position: int, at_line_start: bool
) -> Iterator[tuple[int, bytes]]:
    return executor.new_output(execution, position, stream=stream, at_line_start=at_line_start)


def _timed(executor: Executor, execution: ExecutionId, lines: Iterable[bytes]) -> Iterator[tuple[bytes, float | None]]:
    times = _LineTimes(executor, execution)
    for line in lines:
        yield line, times.next(line)


class _LineTimes:
    """When the lines of standard output were written, one after the other."""

    def __init__(self, executor: Executor, execution: ExecutionId) -> None:
        self._executor, self._execution = executor, execution
        self._times, self._position, self._read = WriteTimes(()), 0, -LEAST_SECONDS

    def next(self, line: bytes) -> float | None:
        """Return the time of the next line (Unix seconds; None: unknown)."""
        # a newer time is at least LEAST_SECONDS later than those that were read, and was noted before the line
        if (now := time.monotonic()) - self._read >= LEAST_SECONDS / 2:
            with self._executor.open_output(self._execution, "times") as file:
                self._times, self._read = WriteTimes(file.read().splitlines()), now
        # its beginning: a line that stands for missing output may have moved it by a byte
        begun = self._position
        self._position += missing_bytes(line) or len(line)
        return self._times.at(begun)
