"""Taking turns between processes: a locked file, free the moment its last holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def turn(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of a file, which is made with its folder; wait while another process holds it.

    Yields the locked file, for child processes to hold too (`flock(2)`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def take(file: IO[str], *, shared: bool = False) -> bool:
    """Take the lock of an open file if it is free, alone or `shared` with others; tell whether it is held now."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
