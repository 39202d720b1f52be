"""What a command of a test finds on its machine, set in its own process: `GITORCH_TEST_HOOK` names one of these."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

_WRITES = os.O_WRONLY | os.O_RDWR
_DELAY_SECONDS = 0.02


def with_small_files() -> None:
    """Let no file grow beyond 30 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does at its start
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))


def with_slow_writes() -> None:
    """Wait at each file that is opened for writing, renamed or removed, as on a disk that is very slow."""
    sys.addaudithook(_wait)


def _wait(event: str, args: tuple[object, ...]) -> None:
    flags = args[2] if event == "open" else None
    if event in ("os.rename", "os.remove", "os.link") or (isinstance(flags, int) and flags & _WRITES):
        time.sleep(_DELAY_SECONDS)
