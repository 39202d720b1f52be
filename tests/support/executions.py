"""Programs for executions in tests, and the proof that none of their processes is left."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from pathlib import Path

import psutil

from gitorch.executors.protocol import Spec
from gitorch.model.naming import EXECUTION_VARIABLE

# forks twice, leaves its session, ignores what asks politely, and stays
DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
"""

# reports on a pipe that it runs, and tidies up when it is asked to end
TIDY = """
import os, sys, time
ready = os.open(sys.argv[1], os.O_WRONLY)
try:
    os.write(ready, b"ready")
    time.sleep(600)
except KeyboardInterrupt:
    print("tidied up")
    sys.exit(3)
"""

# ends only on SIGTERM, which comes after the grace period
STUBBORN = """
import os, signal, sys, time
ready = os.open(sys.argv[1], os.O_WRONLY)
signal.signal(signal.SIGINT, lambda *_: os.write(ready, b"asked"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
os.write(ready, b"ready")
while True:
    time.sleep(600)
"""


def shell(key: str, script: str, **options: object) -> Spec:
    """Return a spec that runs a shell script."""
    return program(key, "/bin/sh", "-c", script, **options)


def python(key: str, script: str, *args: str, **options: object) -> Spec:
    """Return a spec that runs a Python script."""
    return program(key, sys.executable, "-c", script, *args, **options)


def program(key: str, *argv: str, **options: object) -> Spec:
    """Return a spec with an environment that holds only PATH."""
    fields = {"env": {"PATH": os.environ["PATH"]}, **options}
    return Spec(key=key, argv=argv, **fields)  # type: ignore[arg-type]


class Signal:
    """A named pipe by which a program tells that it has come to a certain point, or waits for a word."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # for both: a program that opens it to read, after the word was written, does not wait for another writer
        self._reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def wait(self, seconds: float = 600.0) -> str:
        """Wait until something was written, and return it."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        assert ready, "the program did not come that far"
        return os.read(self._reader, 4096).decode()

    def close(self) -> None:
        os.close(self._reader)


def marked(folder: Path) -> list[psutil.Process]:
    """Return the live processes that belong to an execution below a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = process.environ().get(EXECUTION_VARIABLE, "").startswith(str(folder))
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
