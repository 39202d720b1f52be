"""Kill a git that does not answer: one that was stopped, or that reads a pipe in the place of a file.

One thread looks at all of them, so that a read costs no process and no timer of its own.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable

_TICK_SECONDS = 1.0


class Watch:
    """The wait for one process: `with watch:` around each blocking call. It is killed after `limit` seconds in one."""

    def __init__(self, kill: Callable[[], None], limit: float) -> None:
        self.kill = kill
        self.limit = limit
        self.since = 0.0
        self.is_stalled = False
        _watches.add(self)
        _start()

    def __enter__(self) -> None:
        self.since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.since = 0.0

    def end_if_stalled(self) -> None:
        """Kill the process if its caller has waited for too long."""
        if self.since and time.monotonic() - self.since > self.limit:
            self.is_stalled = True
            self.kill()


_watches: weakref.WeakSet[Watch] = weakref.WeakSet()
_thread: threading.Thread | None = None


def _start() -> None:
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_look, name="git that stalls", daemon=True)
        _thread.start()


def _look() -> None:
    while True:
        time.sleep(_TICK_SECONDS)
        for watch in [*_watches]:
            watch.end_if_stalled()


def _forget_thread() -> None:
    global _thread
    _thread = None


# a fork has no threads
os.register_at_fork(after_in_child=_forget_thread)
