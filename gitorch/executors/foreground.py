"""Programs of the person at the terminal: in the foreground, or detached from it. They are no executions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import msgspec

from gitorch.executors import bounded

_CHUNK = 65_536
_SHOWN = 200
"""Characters of a failed program's output that a message shows."""


class Detached(msgspec.Struct, frozen=True, kw_only=True):
    """A detached program: its process id; where it gave up before it was ready, its exit code and its output."""

    pid: int
    exit_code: int = 0
    output: bytes = b""


def become(program: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by a program, found on the PATH, which gets the terminal and gives the exit code."""
    os.execvp(program, [program, *arguments])  # noqa: S606


def run_on_terminal(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: IO[str] | None = None,
    check: bool = False,
) -> int:
    """Run a program on this terminal, with the environment of this process unless `env` is given.

    Returns the exit code; with `check`, raises `CalledProcessError` for any but 0.
    """
    return subprocess.run(argv, cwd=cwd, env=env, stdout=stdout, check=check).returncode


def run_attended(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a program for the person at this terminal, who alone interrupts it; return the exit code."""
    # a handler, unlike SIG_IGN, is not inherited by the program
    previous = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        return subprocess.run(argv, cwd=cwd, env=env, check=False).returncode
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class BoundedProgram:
    """A program that gets `content`, without a terminal, and is killed after `seconds`, even if this process ends."""

    def __init__(self, argv: Sequence[str], content: bytes, *, env: Mapping[str, str], seconds: float) -> None:
        self._name = argv[0]
        self._seconds = seconds
        # files, not pipes: the program may go on when this process, and so its end of a pipe, is gone
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 # closed when the program has ended
        with tempfile.TemporaryFile() as stdin:
            stdin.write(content)
            stdin.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", bounded.__file__, str(seconds), *argv],
                env=dict(env),
                stdin=stdin,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )

    def __str__(self) -> str:
        return self._name

    def has_ended(self, patience: float) -> bool:
        """Wait so many seconds for its end; return whether it has ended. Raises `OSError` if it has failed."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        with self._output as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN))
            output = file.read().decode("utf-8", "replace").strip()
        if code == bounded.TOO_LONG:
            raise OSError(f"{self._name} took longer than {self._seconds:.0f} s")
        if code != 0:
            raise OSError(f"{self._name} ended with exit code {code}{': ' if output else ''}{output}")
        return True

    def leave(self) -> None:
        """Let it continue, and stop waiting for it."""
        self._output.close()
        # without a return code, Popen would warn about a child that nobody waits for
        self._process.returncode = 0


class PagedRun:
    """A program whose output we pass on: `chunks` to read, `output` to write; `exit_code` at its end."""

    def __init__(self, chunks: Iterator[bytes], output: IO[bytes]) -> None:
        self.chunks = chunks
        self.output = output
        self.exit_code = 0


@contextmanager
def paged(argv: Sequence[str], pager: str, *, cwd: Path) -> Iterator[PagedRun]:
    """Run a program, and give its output to read, and the user's pager or this terminal to write to.

    `pager` is a shell command, empty for none.
    """
    source = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert source.stdout
    chunks = iter(partial(os.read, source.stdout.fileno(), _CHUNK), b"")
    try:
        with pager_input(pager) as output:
            run = PagedRun(chunks, output)
            yield run
    finally:
        source.stdout.close()
        code = source.wait()
    run.exit_code = 0 if code == -signal.SIGPIPE else code


@contextmanager
def pager_input(pager: str) -> Iterator[IO[bytes]]:
    """Give the input of the user's pager to write to, or this terminal for no pager."""
    if not pager:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    env = {"LESS": "FRX", "LV": "-c", **os.environ, "GIT_PAGER_IN_USE": "true"}
    # the command comes from the user's configuration, and git gives it to a shell too
    program = subprocess.Popen(["/bin/sh", "-c", pager], stdin=subprocess.PIPE, env=env)
    assert program.stdin
    # an interrupt is for the pager, which has the person's attention
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with suppress(BrokenPipeError):  # the person has left the pager
            yield program.stdin
            program.stdin.flush()
    finally:
        with suppress(BrokenPipeError):
            program.stdin.close()
        program.wait()
        signal.signal(signal.SIGINT, previous)


def start_detached(argv: Sequence[str], *, log: Path, ready_variable: str) -> Detached:
    """Start a program that outlives this terminal and writes to `log`; return once it is ready or has ended.

    The program is ready when it writes a byte to the file descriptor that `ready_variable` names in its environment.
    """
    reader, writer = os.pipe()
    with log.open("ab") as output, os.fdopen(reader, "rb") as pipe:
        start = output.tell()
        child = subprocess.Popen(
            argv,
            env={**os.environ, ready_variable: str(writer)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(writer,),
        )
        os.close(writer)
        is_ready = pipe.read(1) != b""
    if not is_ready and (code := child.wait()):
        return Detached(pid=child.pid, exit_code=code, output=log.read_bytes()[start:])
    # without a return code, Popen would warn about a child that nobody waits for
    child.returncode = 0
    return Detached(pid=child.pid)
