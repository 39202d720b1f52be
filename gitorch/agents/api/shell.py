"""A shell for a model: one `bash` that keeps its folder and variables from command to command.

Commands go in and exit codes come out through pipes of their own, so nothing that a command prints can be taken for
its end, and a command has no input to wait for. The shell and what it starts form one process group (and one session),
which is killed as a whole when a command exceeds its time, when the shell is restarted, and when this process ends in
whatever way, kill -9 included.

Nothing here confines a command: it can read, write and reach all that its user can. What it is not given are the
credentials of the model's API.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import msgspec

OUTPUT_BYTES = 30_000
_CHUNK = 65_536
# 3: commands, each ended by a NUL; 4: exit codes; 5: never written to, it ends when the process that holds it dies.
_DRIVER = """
exec 3<&0 4>&2 5<&{alarm} {alarm}<&- 2>&1 </dev/null
( exec 3<&- 4>&- >/dev/null 2>&1; read -r -u 5 _; kill -KILL -- -$$ ) &
disown
exec 5<&-
while IFS= read -r -d '' -u 3 GITORCH_COMMAND; do
  eval "$GITORCH_COMMAND" 3<&- 4>&-
  printf '%d\\0' "$?" >&4
done
"""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One command: its output (both streams, capped), its exit code, and how it ended.

    `exit_code` is None for `timed_out`; `ended` tells that the shell itself is gone with it.
    """

    output: str
    exit_code: int | None = None
    timed_out: bool = False
    ended: bool = False


def tool_environment(environ: Mapping[str, str], *, hidden: Iterable[str]) -> dict[str, str]:
    """Return `environ` for commands: without the variables of the API and those that hold a `hidden` value."""
    kept = {name: value for name, value in environ.items() if not name.startswith("ANTHROPIC_")}
    secret = tuple(value for value in hidden if value)
    clean = {name: value for name, value in kept.items() if not any(part in value for part in secret)}
    unattended = {"GIT_EDITOR": "true", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "PAGER": "cat", "TERM": "dumb"}
    return clean | unattended


class Shell:
    """A `bash` in `worktree`, started at the first command; `seconds` is the most that one command may take."""

    def __init__(self, worktree: Path, environment: Mapping[str, str], *, seconds: float) -> None:
        self.worktree = worktree
        self.environment = dict(environment)
        self.seconds = seconds
        self._live: _Live | None = None

    def run(self, command: str) -> Ran:
        """Run `command` to its end or to the end of its time. Raises `OSError` where there is no bash."""
        if self._live is None or self._live.gone():
            self.restart()
        assert self._live is not None
        ran = self._live.run(command, self.seconds)
        if ran.timed_out or ran.ended:
            self.close()
        return ran

    def restart(self) -> None:
        """Kill the shell with all that it started, and start a fresh one."""
        self.close()
        self._live = _Live(self.worktree, self.environment)

    def close(self) -> None:
        """Kill the shell with all that it started."""
        live, self._live = self._live, None
        if live is not None:
            live.kill()


class Capped:
    """The first and the last bytes of an output, and how many there were between them."""

    def __init__(self, limit: int = OUTPUT_BYTES) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._cut = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes of the output."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        excess = max(0, len(self._tail) - self._half)
        self._cut += excess
        del self._tail[:excess]

    def text(self) -> str:
        """Return what was kept, with a line that says what was not."""
        if not self._cut:
            return bytes(self._head + self._tail).decode("utf-8", "replace")
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return f"{head}\n[... {self._cut} bytes cut here ...]\n{tail}"


class _Live:
    """A running shell and the pipes to it."""

    def __init__(self, worktree: Path, environment: Mapping[str, str]) -> None:
        ends, self._alarm = _high_pipe()
        gone, ended = os.pipe()
        self._gone = gone
        self._process = _start(worktree, environment, alarm=ends)
        os.close(ends)
        threading.Thread(target=_report_end, args=(self._process, ended), daemon=True).start()

    def gone(self) -> bool:
        return self._process.poll() is not None

    def run(self, command: str, seconds: float) -> Ran:
        output, status = Capped(), bytearray()
        commands, printed, codes = self._pipes()
        with contextlib.suppress(BrokenPipeError):
            commands.write(command.encode("utf-8") + b"\0")
            commands.flush()
        in_time = self._wait(printed, codes, output, status, time.monotonic() + seconds)
        _drain(printed, output)
        if not in_time:
            return Ran(output=output.text(), timed_out=True)
        if not status.endswith(b"\0"):
            return Ran(output=output.text(), exit_code=self._process.wait(), ended=True)
        return Ran(output=output.text(), exit_code=int(status[:-1]))

    def kill(self) -> None:
        kill_tree(self._process.pid)
        self._process.wait()
        for pipe in self._pipes():
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        os.close(self._alarm)
        os.close(self._gone)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        return process.stdin, process.stdout, process.stderr

    def _wait(self, printed: IO[bytes], codes: IO[bytes], output: Capped, status: bytearray, deadline: float) -> bool:
        with selectors.DefaultSelector() as waiting:
            for source in (printed.fileno(), codes.fileno(), self._gone):
                waiting.register(source, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in waiting.select(left)}
                if printed.fileno() in ready and not _take(printed.fileno(), output):
                    waiting.unregister(printed)
                if codes.fileno() in ready:
                    status += os.read(codes.fileno(), _CHUNK)
                if status.endswith(b"\0") or self._gone in ready:
                    return True
        return False


def _start(worktree: Path, environment: Mapping[str, str], *, alarm: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-c", _DRIVER.format(alarm=alarm)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=worktree,
        env=dict(environment),
        pass_fds=(alarm,),
        start_new_session=True,
    )


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose reading end is not one of the numbers that the driver uses."""
    low, writing = os.pipe()
    reading = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(low)
    return reading, writing


def _report_end(process: subprocess.Popen[bytes], ended: int) -> None:
    process.wait()
    os.close(ended)


def _take(source: int, output: Capped) -> bool:
    chunk = os.read(source, _CHUNK)
    output.add(chunk)
    return bool(chunk)


def _drain(printed: IO[bytes], output: Capped) -> None:
    # Once, and no more than a pipe holds: a background process may go on printing for ever.
    os.set_blocking(printed.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        output.add(os.read(printed.fileno(), _CHUNK))
    os.set_blocking(printed.fileno(), True)


def kill_tree(pid: int) -> None:
    """Kill the process group that `pid` leads, and those of its descendants that have left the group."""
    import psutil

    strays: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        strays = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for stray in strays:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            stray.kill()
