"""Watch the output of a running agent, to stop it as soon as it says that it cannot succeed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from gitorch.executors.output_reader import LONGER
from gitorch.executors.protocol import ExecutionId, Executor

Judge: TypeAlias = Callable[[bytes], str]
"""Returns why an execution that wrote this line cannot succeed, or an empty text."""

_FEWEST_SECONDS = 0.5
_MOST_SECONDS = 4.0
"""From one look to the next: while an agent writes, and while it does not."""

_LONGEST_LINE = 1 << 20


@contextmanager
def stopped_when_hopeless(
    executor: Executor, execution: ExecutionId, judge: Judge, judge_log: Callable[[], str]
) -> Iterator[None]:
    """Cancel an execution during this block, with the reason, once `judge` returns one for a line of its output.

    `judge_log` is asked each time after the lines, for an agent that writes more than its output.
    """
    execution_end = threading.Event()
    parts = (executor, execution, judge, judge_log, execution_end)
    watcher = threading.Thread(target=_watch, args=parts, daemon=True, name="watch")
    watcher.start()
    try:
        yield
    finally:
        execution_end.set()
        watcher.join()


def _watch(
    executor: Executor,
    execution: ExecutionId,
    judge: Judge,
    judge_log: Callable[[], str],
    execution_end: threading.Event,
) -> None:
    pause, position, unfinished = _FEWEST_SECONDS, 0, b""
    while not execution_end.wait(pause):
        pause = min(_MOST_SECONDS, LONGER * pause)
        for end, data in executor.new_output(execution, position, at_line_start=not unfinished):
            pause, position = _FEWEST_SECONDS, end
            *lines, unfinished = (unfinished + data).split(b"\n")
            unfinished = unfinished[:_LONGEST_LINE]
            if reason := next(filter(None, map(judge, lines)), ""):
                executor.cancel(execution, reason)
                return
        if reason := judge_log():
            executor.cancel(execution, reason)
            return
