"""Programs of the person at the terminal: in the foreground, or detached from it. They are no executions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec


class Detached(msgspec.Struct, frozen=True, kw_only=True):
    """A detached program: its process id; where it gave up before it was ready, its exit code and its output."""

    pid: int
    exit_code: int = 0
    output: bytes = b""


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
