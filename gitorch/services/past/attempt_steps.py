"""The steps of an attempt in time: preparation, agent, checks."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from gitorch.executors.protocol import Executor, Submitted
from gitorch.model.outcome import Exit


class AttemptStep(msgspec.Struct, frozen=True):
    """One step of an attempt. Times are Unix seconds; `end` is None while it runs.

    `name` is what the key says behind the attempt: `prepare-1`, `agent-1`, or `clean-1/pytest` for a check.
    """

    attempt: int
    name: str
    start: float
    end: float | None


def recorded_step(executor: Executor, number: int, execution: Submitted) -> AttemptStep:
    """Return a step with the times of its record."""
    status = executor.poll(execution.id)
    if isinstance(status, Exit):
        start = status.started or execution.time
        return AttemptStep(number, _name(execution), start, start + status.seconds)
    return AttemptStep(number, _name(execution), execution.time, None)


def listed_steps(executions: list[Submitted], number: int) -> tuple[AttemptStep, ...]:
    """Return the steps of an attempt as a listing shows them: each ends when the next one starts."""
    return tuple(
        AttemptStep(number, _name(execution), execution.time, following.time if following else None)
        for execution, following in pairwise([*executions, None])
        if execution is not None
    )


def _name(execution: Submitted) -> str:
    return "/".join(execution.key.split("/")[3:])
