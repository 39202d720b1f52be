"""When a task waited, worked and was checked, as spans of time: what the board and the report draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

import msgspec

from gitorch.cli.views import quantities
from gitorch.model.outcome import AttemptOutcome
from gitorch.model.task import Attempt, PastAttempt, State, Task
from gitorch.services.past.attempt_steps import AttemptStep

AnyAttempt: TypeAlias = Attempt | PastAttempt

NIGHT = timedelta(hours=24)
"""How long before the last end an attempt may have ended and still be drawn."""

_NO_FAILURES = (AttemptOutcome.FINISHED, AttemptOutcome.ASKED, AttemptOutcome.ANSWERED, AttemptOutcome.LIMITED)


class TimeSpan(msgspec.Struct, frozen=True):
    """A part of a timeline, in Unix seconds. `kind` is queue, prepare, agent, bad (it failed), checks or limit."""

    kind: str
    start: float
    end: float
    words: str


def started_attempts(task: Task) -> list[AnyAttempt]:
    """Return the attempts of a task whose start is known, oldest first."""
    attempts: list[AnyAttempt] = [*task.past, *([task.attempt] if task.attempt else [])]
    return [attempt for attempt in attempts if attempt.started is not None]


def start_of(attempt: AnyAttempt) -> float:
    """Return when an attempt started, in Unix seconds."""
    return attempt.started.timestamp() if attempt.started else 0.0


def end_of(attempt: AnyAttempt, now: datetime) -> float:
    """Return when an attempt ended, in Unix seconds; `now` while it goes on."""
    return now.timestamp() if attempt.seconds is None else start_of(attempt) + attempt.seconds


def task_spans(
    task: Task, attempts: Sequence[AnyAttempt], steps: Iterable[AttemptStep], start: float, now: datetime
) -> Iterator[TimeSpan]:
    """Yield the spans of these attempts of a task, and of its waits since `start`, oldest first."""
    if not attempts:
        return
    created = max(task.spec.created.timestamp() if task.spec.created else start, start)
    if created < start_of(attempts[0]):
        yield _span("queue", created, start_of(attempts[0]), "queued")
    recorded = tuple(steps)
    for attempt, following in pairwise([*attempts, None]):
        if attempt is not None:
            yield from _attempt_spans(attempt, recorded, now)
            begin = start_of(following) if following else now.timestamp()
            if following or (task.state is State.WAITING and task.wake):
                is_limit = attempt.outcome == AttemptOutcome.LIMITED
                kind, words = ("limit", "waited for a limit") if is_limit else ("queue", "waited")
                yield _span(kind, end_of(attempt, now), begin, words)


def _attempt_spans(attempt: AnyAttempt, steps: Iterable[AttemptStep], now: datetime) -> Iterator[TimeSpan]:
    """Yield an attempt's agent, and then its other steps, which are parts of the same time."""
    start, end = start_of(attempt), end_of(attempt, now)
    failed = attempt.outcome not in ("", *_NO_FAILURES)
    agent = "bad" if failed else "agent"
    name = f"attempt {attempt.number}, {attempt.agent}"
    yield _span(agent, start, end, f"{name}{': ' if attempt.outcome else ''}{attempt.outcome}")
    for step in steps:
        if step.attempt == attempt.number and not step.name.startswith("agent-"):
            step_end = now.timestamp() if step.end is None else step.end
            step_kind = "prepare" if step.name.startswith("prepare-") else "checks"
            yield _span(step_kind, max(step.start, start), min(step_end, end), step.name.rpartition("/")[2])


def _span(kind: str, start: float, end: float, words: str) -> TimeSpan:
    end = max(start, end)
    return TimeSpan(kind, start, end, f"{words}, {quantities.duration(end - start)}")
