"""The times of a worker whose clock differs from the engine's: what comes home has those of the engine's clock."""

from __future__ import annotations

import re

_LEAST_SECONDS = 5.0
"""A smaller difference may be how long an order was on its way."""

_TIME = re.compile(rb"^(\d+) (\d+)$", re.MULTILINE)


def difference(engine: float, own: float) -> float:
    """Return how many seconds the engine's clock is ahead of a worker's; 0 if they are nearly the same."""
    seconds = engine - own
    return seconds if abs(seconds) >= _LEAST_SECONDS else 0.0


def shifted(time: float, seconds: float) -> float:
    """Return a time by a clock that is ahead; 0 is no time."""
    return time and time + seconds


def shifted_times(content: bytes, seconds: float) -> bytes:
    """Return lines of the file `times` by a clock that is ahead."""
    return _TIME.sub(lambda match: b"%s %d" % (match[1], int(match[2]) + round(1000 * seconds)), content)
