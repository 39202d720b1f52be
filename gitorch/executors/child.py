"""Start one program in a session of its own. Uses only the standard library, without `subprocess`: see `supervisor`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` would delay the start of every agent and every check
    from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A program that was started: its process id, and its return code once it has ended (-n: killed by signal n)."""

    def __init__(
        self, argv: Sequence[str], cwd: str, streams: Sequence[int], enter: Callable[[], None] | None = None
    ) -> None:
        """Start a program with these descriptors as its standard streams. Raises `OSError` if that is impossible.

        `enter` is called in the new process, before the program begins.
        """
        self.returncode: int | None = None
        reader, writer = os.pipe()
        try:
            self.pid = os.fork()  # there are no threads here
            if not self.pid:
                _become(argv, cwd, streams, writer, enter)
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb") as errors:
            code, _, name = errors.read().partition(b" ")
        if code:
            os.waitpid(self.pid, 0)
            raise OSError(int(code), os.strerror(int(code)), os.fsdecode(name))

    def poll(self) -> int | None:
        """Return the return code; None while the program runs."""
        return self.returncode if self.returncode is not None else self._wait(os.WNOHANG)

    def wait(self) -> None:
        """Wait for the program's end."""
        if self.returncode is None:
            self._wait(0)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _wait(self, options: int) -> int | None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _become(
    argv: Sequence[str], cwd: str, streams: Sequence[int], errors: int, enter: Callable[[], None] | None
) -> None:
    """Turn this process into the program; write to `errors` why that is impossible."""
    name = cwd
    try:
        os.setsid()
        if sys.platform == "linux":
            die_with_parent()
        if enter:
            enter()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for ignored in _IGNORED_BY_PYTHON:
            signal.signal(ignored, signal.SIG_DFL)
        os.chdir(cwd)
        name = argv[0]
        os.execvp(name, list(argv))  # noqa: S606 # the program of the caller, without a shell
    except OSError as error:
        os.write(errors, b"%d %s" % (error.errno or 0, os.fsencode(name)))
    finally:
        os._exit(255)


def die_with_parent() -> None:
    """Make the kernel kill the program when its supervisor dies (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
