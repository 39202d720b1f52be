"""Watch the output of a running agent, to stop it as soon as it says that it cannot succeed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from gitorch.executors.base import ExecutionId, Executor

Judge: TypeAlias = Callable[[bytes], str]
"""Returns why an execution that wrote this line cannot succeed, or an empty text."""

WATCH_SECONDS = 0.5
_BLOCK_BYTES = 262_144
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
    offset, unfinished = 0, b""
    while not execution_end.wait(WATCH_SECONDS):
        with executor.open_output(execution, "stdout") as file:
            file.seek(offset)
            while data := file.read(_BLOCK_BYTES):
                offset += len(data)
                *lines, unfinished = (unfinished + data).split(b"\n")
                unfinished = unfinished[:_LONGEST_LINE]
                if reason := next(filter(None, map(judge, lines)), ""):
                    executor.cancel(execution, reason)
                    return
        if reason := judge_log():
            executor.cancel(execution, reason)
            return
