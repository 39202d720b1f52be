"""Wait for an execution that may have to be started more than once: a busy machine kills what has just begun."""

from __future__ import annotations

import threading

from gitorch.executors.protocol import Executor, Spec
from gitorch.model.outcome import Exit

PAUSES = (0.1, 1.0, 5.0, 15.0)
"""Seconds before each further start."""


def wait_for_end(executor: Executor, spec: Spec, *, pauses: tuple[float, ...] = PAUSES) -> Exit:
    """Wait for the end of a submitted program; start it again if its supervisor died before the program began.

    That is safe: such a program has never run. If it never begins, the result is `lost` and says why.
    """
    execution = executor.id_of(spec.key)
    status = executor.wait(execution)
    for pause in pauses:
        if isinstance(status, Exit):
            return status
        threading.Event().wait(pause)
        status = executor.wait(executor.submit(spec))
    if isinstance(status, Exit):
        return status
    reason = f": {status.reason}" if status.reason else ""
    return Exit(cause="lost", message=f"its supervisor did not start, {len(pauses) + 1} times{reason}")
