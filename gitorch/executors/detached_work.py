"""Work that goes on after the command that began it has ended: a fork of this process, which nobody waits for."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path


def fork_detached(work: Callable[[], None], keep: Collection[int]) -> None:
    """Do work in a fork of this process, which has imported what it needs; raise `OSError` if it cannot start.

    The fork has a session of its own and none of the caller's files, but for the descriptors in `keep`. It ends with
    the work, also if that raises; nothing of the caller's is closed or flushed. It is no child of this process, which
    may live long and waits for no children that it does not know.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        if not os.fork():
            _detach(keep)
            work()
    finally:
        os._exit(0)


def _detach(keep: Collection[int]) -> None:
    """Leave the caller's session and folder, and let go of its files: the pipes of its git processes, its output."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        if descriptor != nothing and descriptor not in keep:
            # not closed: objects that still know the number would close another file later
            with suppress(OSError):
                os.dup2(nothing, descriptor, inheritable=descriptor <= 2)
