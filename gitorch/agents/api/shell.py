"""A shell for a model: one `bash` that keeps its folder and variables from command to command.

Commands and exit codes use separate pipes, so that no output can be taken for the end of a command, and no command
waits for input. The shell and what it starts form one process group (and one session). The group is killed when a
command exceeds its time, when the shell is restarted, and when this process ends in any way, including kill -9.

Nothing here confines a command: it can do everything that its user can. It does not get the credentials of the model's
API.
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
import psutil

OUTPUT_BYTES = 30_000
_CHUNK = 65_536
# 3: commands, each with a NUL at its end; 4: exit codes; 5: never written to, closed when this process dies
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


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """One command: its output (both streams, truncated), its exit code, and how it ended.

    `exit_code` is None if it `timed_out`; `shell_ended` means that the command ended the shell too.
    """

    output: str
    exit_code: int | None = None
    timed_out: bool = False
    shell_ended: bool = False


def tool_environment(environ: Mapping[str, str], *, hidden: Iterable[str]) -> dict[str, str]:
    """Return `environ` for commands: without the variables of the API and those that contain a `hidden` value."""
    variables = {name: value for name, value in environ.items() if not name.startswith("ANTHROPIC_")}
    secret = tuple(value for value in hidden if value)
    clean = {name: value for name, value in variables.items() if not any(part in value for part in secret)}
    unattended = {"GIT_EDITOR": "true", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "PAGER": "cat", "TERM": "dumb"}
    return clean | unattended


class Shell:
    """A `bash` in `worktree`, started with the first command; `seconds` is the time limit of a command."""

    def __init__(self, worktree: Path, environment: Mapping[str, str], *, seconds: float) -> None:
        self.worktree = worktree
        self.environment = dict(environment)
        self.seconds = seconds
        self._live: _Live | None = None

    def run(self, command: str) -> CommandResult:
        """Run `command` until it ends or its time is over. Raises `OSError` if there is no bash."""
        if self._live is None or self._live.has_ended():
            self.restart()
        assert self._live is not None
        result = self._live.run(command, self.seconds)
        if result.timed_out or result.shell_ended:
            self.close()
        return result

    def restart(self) -> None:
        """Kill the shell and everything that it started, and start a new one."""
        self.close()
        self._live = _Live(self.worktree, self.environment)

    def close(self) -> None:
        """Kill the shell and everything that it started."""
        live, self._live = self._live, None
        if live is not None:
            live.kill()


class Capped:
    """The first and the last bytes of an output, and the number of bytes in between."""

    def __init__(self, limit: int = OUTPUT_BYTES) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._cut = 0

    def add(self, chunk: bytes) -> None:
        """Add the next bytes of the output."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        excess = max(0, len(self._tail) - self._half)
        self._cut += excess
        del self._tail[:excess]

    def text(self) -> str:
        """Return both parts, with a line about what is missing."""
        if not self._cut:
            return bytes(self._head + self._tail).decode("utf-8", "replace")
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return f"{head}\n[... {self._cut} bytes cut here ...]\n{tail}"


class _Live:
    """A running shell and the pipes to it."""

    def __init__(self, worktree: Path, environment: Mapping[str, str]) -> None:
        reader, self._alarm = _high_pipe()
        self._exit_pipe, writer = os.pipe()
        self._process = _start(worktree, environment, alarm=reader)
        os.close(reader)
        threading.Thread(target=_report_end, args=(self._process, writer), daemon=True).start()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def run(self, command: str, seconds: float) -> CommandResult:
        output, status = Capped(), bytearray()
        commands, printed, codes = self._pipes()
        with contextlib.suppress(BrokenPipeError):
            commands.write(command.encode("utf-8") + b"\0")
            commands.flush()
        in_time = self._wait(printed, codes, output, status, time.monotonic() + seconds)
        _drain(printed, output)
        if not in_time:
            return CommandResult(output=output.text(), timed_out=True)
        if not status.endswith(b"\0"):
            return CommandResult(output=output.text(), exit_code=self._process.wait(), shell_ended=True)
        return CommandResult(output=output.text(), exit_code=int(status[:-1]))

    def kill(self) -> None:
        kill_tree(self._process.pid)
        self._process.wait()
        for pipe in self._pipes():
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        os.close(self._alarm)
        os.close(self._exit_pipe)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        return process.stdin, process.stdout, process.stderr

    def _wait(self, printed: IO[bytes], codes: IO[bytes], output: Capped, status: bytearray, deadline: float) -> bool:
        with selectors.DefaultSelector() as waiting:
            for source in (printed.fileno(), codes.fileno(), self._exit_pipe):
                waiting.register(source, selectors.EVENT_READ)
            while (remaining := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in waiting.select(remaining)}
                if printed.fileno() in ready and not _take(printed.fileno(), output):
                    waiting.unregister(printed)
                if codes.fileno() in ready:
                    status += os.read(codes.fileno(), _CHUNK)
                if status.endswith(b"\0") or self._exit_pipe in ready:
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
    """Return a pipe whose reading end has none of the numbers that the driver uses."""
    low, writer = os.pipe()
    reader = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(low)
    return reader, writer


def _report_end(process: subprocess.Popen[bytes], writer: int) -> None:
    process.wait()
    os.close(writer)


def _take(source: int, output: Capped) -> bool:
    chunk = os.read(source, _CHUNK)
    output.add(chunk)
    return bool(chunk)


def _drain(printed: IO[bytes], output: Capped) -> None:
    # once, and at most what a pipe holds: a background process may print forever
    os.set_blocking(printed.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        output.add(os.read(printed.fileno(), _CHUNK))
    os.set_blocking(printed.fileno(), True)


def kill_tree(pid: int) -> None:
    """Kill the process group that `pid` leads, and those of its descendants that have left the group."""
    strays: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        strays = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for stray in strays:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            stray.kill()
