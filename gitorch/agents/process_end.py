"""The end of a process that gitorch puts around an agent: signals that ask for it, and what its children leave."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that ask a process to end."""

_DUMPABLE, _SUBREAPER = 4, 36
_SWEEPS = 10


class Stopped(BaseException):
    """A signal asked this process to end. Not an `Exception`, so that no handler takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def shield() -> None:
    """Hide this process's memory and environment from other processes, and adopt the orphans of its children."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_DUMPABLE, 0, 0, 0, 0)
        prctl(_SUBREAPER, 1, 0, 0, 0)


def raise_on_signals() -> None:
    """Raise `Stopped` at the first signal that asks this process to end; the next ones are ignored."""
    for number in SIGNALS:
        signal.signal(number, _stop)


def ignore_signals() -> None:
    """Ignore these signals from now on."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def sweep() -> None:
    """Kill what is left of the children's processes; this process adopts orphans, so that it has all of them."""
    for _ in range(_SWEEPS):
        leftovers = psutil.Process().children(recursive=True)
        if not leftovers:
            return
        for process in leftovers:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()
        psutil.wait_procs(leftovers, timeout=1)


def _stop(number: int, _frame: object) -> None:
    ignore_signals()
    raise Stopped(number)
