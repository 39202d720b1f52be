"""When a program wrote its standard output: the file `times`. Uses only the standard library.

A line `POSITION MILLISECONDS` says that the stream from this position on was stored at this time (Unix time), up to the
next line. A new line is at least a second after the one before, and later the longer the program runs, so that the file
stays small.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from collections.abc import Iterable

STREAM = "times"
LEAST_SECONDS = 1.0
_SHARE = 1 / 5_000
"""The time between two lines, as a share of how long the program runs: about 16,000 lines in twelve hours."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTRY = re.compile(rb"(\d{1,15}) (\d{1,13})\n?\Z")


class TimesFile:
    """The file, in a folder that is open as a descriptor."""

    def __init__(self, folder: int) -> None:
        self._descriptor = os.open(STREAM, _CREATE, 0o600, dir_fd=folder)
        self._started = time.monotonic()
        self._next = self._started

    def note(self, position: int) -> None:
        """Note that the stream goes on from a position now: before that part is stored."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + max(LEAST_SECONDS, _SHARE * (now - self._started))
        with contextlib.suppress(OSError):  # the disk is full: the time of what follows is that of what came before
            os.write(self._descriptor, b"%d %d\n" % (position, time.time() * 1000))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class WriteTimes:
    """What such a file says. Lines that are none of its own are skipped."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        entries = sorted(entry for entry in map(_entry, lines) if entry)
        self._positions = [position for position, _ in entries]
        self._times = [seconds for _, seconds in entries]

    def at(self, position: int) -> float | None:
        """Return when what is at a position of the stream was written (Unix seconds); None: unknown."""
        index = bisect_right(self._positions, position)
        return self._times[index - 1] if index else None


def _entry(line: bytes) -> tuple[int, float] | None:
    match = _ENTRY.match(line)
    return (int(match[1]), int(match[2]) / 1000) if match else None
