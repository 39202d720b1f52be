"""Keep the system from going to sleep while a run lasts, where it has a command for that."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_LINUX = ("systemd-inhibit", "--what=sleep:idle", "--who=orchestrate", "--why=agents are working", "--mode=block")
_MACOS = ("caffeinate", "-i", "-s")
_HOLD = ("/bin/sh", "-c", "echo; exec cat")
"""Says that the system is kept awake, and ends with the process that started it, however that ends."""

_SECONDS = 3.0
"""How long the answer of the system's login service may take."""


def command() -> tuple[str, ...]:
    """Return the start of a command line that keeps this system awake; empty if there is none."""
    argv = _MACOS if sys.platform == "darwin" else _LINUX
    return argv if shutil.which(argv[0]) else ()


@contextmanager
def kept_awake(argv: Sequence[str]) -> Iterator[bool]:
    """Keep the system awake with a command until the block ends; yield whether that works."""
    process = _started(argv) if argv else None
    try:
        yield process is not None and _has_answered(process)
    finally:
        if process is not None:
            _end(process)


def _started(argv: Sequence[str]) -> subprocess.Popen[bytes] | None:
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        # in a session of its own: Ctrl-C is for the run
        return subprocess.Popen([*argv, *_HOLD], stdin=pipe, stdout=pipe, stderr=null, start_new_session=True)
    except OSError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.communicate(timeout=_SECONDS)  # closes its input, so that it ends
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _has_answered(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout
    is_readable, _, _ = select.select([process.stdout], [], [], _SECONDS)
    return bool(is_readable) and process.stdout.read(1) != b""
