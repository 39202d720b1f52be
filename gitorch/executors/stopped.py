"""Continue supervisors that another program has stopped (SIGSTOP), and end those that it stops again and again.

One thread looks at all that are waited for. A stopped supervisor neither ends its program nor counts its time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from collections.abc import Callable

import psutil

_LOOK_SECONDS = 1.0
_MOST_CONTINUED = 3
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


class StopWatch:
    """The wait for one supervisor: `with watch:` around it. `times` is how often it was found stopped.

    `pid` returns its process id, 0 for an unknown one, and `send` sends it a signal.
    """

    def __init__(self, pid: Callable[[], int], send: Callable[[signal.Signals], None]) -> None:
        self._pid = pid
        self._send = send
        self._was_stopped = False
        self._is_waiting = False
        self.times = 0
        self.was_ended = False

    def __enter__(self) -> None:
        self._is_waiting = True
        _watches.add(self)
        _start()

    def __exit__(self, *_: object) -> None:
        self._is_waiting = False
        _watches.discard(self)

    def look(self) -> None:
        """Continue the supervisor if it is stopped for the second time in a row; end it if that has not helped.

        One look proves nothing: where everything was stopped, this process is the first to go on.
        """
        is_stopped = _is_stopped(self._pid())
        if is_stopped and (self._was_stopped or self.times) and self._is_waiting:
            self.times += 1
            self.was_ended = self.times > _MOST_CONTINUED
            self._send(signal.SIGKILL if self.was_ended else signal.SIGCONT)
        self._was_stopped = is_stopped


def _is_stopped(pid: int) -> bool:
    try:
        return bool(pid) and psutil.Process(pid).status() in _STOPPED
    except psutil.Error:
        return False


_watches: weakref.WeakSet[StopWatch] = weakref.WeakSet()
_thread: threading.Thread | None = None


def _start() -> None:
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_look, name="stopped supervisors", daemon=True)
        _thread.start()


def _look() -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        for watch in [*_watches]:
            watch.look()


def _forget_thread() -> None:
    global _thread
    _thread = None


# a fork has no threads
os.register_at_fork(after_in_child=_forget_thread)
