"""Locks between processes: a locked file, released when its last holder exits."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gitorch.regular_files import open_at_once


@contextmanager
def file_lock(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of a file, which is created with its folder; wait while another process holds it.

    A link in place of the file is not followed.
    Yields the locked file, so that child processes can hold it as well (`flock(2)`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def open_file(path: Path) -> IO[str]:
    """Open a file to lock it, made if it is missing. A link in its place is not followed, a pipe not waited for."""
    return os.fdopen(open_at_once(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW), "a+")


def is_locked(path: Path) -> bool:
    """Return whether another process holds the lock of a file; not if there is none."""
    try:  # to read: the file system may be read-only
        with os.fdopen(open_at_once(path)) as file:
            return not try_lock(file, shared=True)
    except FileNotFoundError:
        return False


def try_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Lock an open file, exclusively or `shared`, without waiting; return whether it is locked now."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
