"""Programs of the person at the terminal: in the foreground, or detached from it. They are no executions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import msgspec

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


def run_with_input(argv: Sequence[str], content: bytes, *, env: Mapping[str, str], seconds: float) -> None:
    """Run a program that gets `content`, without a terminal; raise `OSError` if it fails or takes too long."""
    try:
        done = subprocess.run(
            argv,
            input=content,
            env=dict(env),
            capture_output=True,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{argv[0]} took longer than {seconds:.0f} s") from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-_SHOWN:]
        raise OSError(f"{argv[0]} ended with exit code {done.returncode}{': ' if output else ''}{output}")


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
