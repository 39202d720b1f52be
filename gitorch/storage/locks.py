"""Locks between processes: a locked file, released when its last holder exits."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def file_lock(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of a file, which is created with its folder; wait while another process holds it.

    A link in place of the file is not followed.
    Yields the locked file, so that child processes can hold it as well (`flock(2)`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def try_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Lock an open file, exclusively or `shared`, without waiting; return whether it is locked now."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
