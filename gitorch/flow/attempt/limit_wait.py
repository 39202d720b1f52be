"""When a task that waits for a service goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from gitorch.model.outcome import AttemptOutcome, Outcome
from gitorch.model.task import PastAttempt


def wake_time(outcome: Outcome, past: Sequence[PastAttempt], now: datetime) -> datetime:
    """Return when a limited task goes on; `past` are its earlier attempts.

    That is when the limit ends, but no earlier than a retry each time that the attempt before was limited too: a
    service may name a time that its clock has not reached yet and ours has, or a few seconds for ever.
    """
    before = sum(1 for _ in takewhile(lambda attempt: attempt.outcome == AttemptOutcome.LIMITED, reversed(past)))
    end = outcome.limit_end(now)
    if end is None:
        return retry_time(before, now)
    return max(end, retry_time(before - 1, now)) if before else end


def retry_time(waited: int, now: datetime) -> datetime:
    """Return when to retry what ends at an unknown time: after 5 minutes, then 10, 20, at most an hour."""
    return now + timedelta(minutes=min(60, 5 * 2 ** min(10, max(0, waited))))
