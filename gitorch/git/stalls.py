"""Kill a git that does not answer: one that was stopped, or that reads a pipe in the place of a file.

One thread looks at all of them, so that a read costs no process and no timer of its own.
"""

from __future__ import annotations

import os
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 2.0
"""When a wait for git is long enough to look for the reason."""

_TICK_SECONDS = 1.0
_READ_IN_WORKTREES = (".gitattributes", ".gitignore", ".gitmodules", ".git")
_MOST_ENTRIES = 1_000_000


class Watch:
    """The wait for one process: `with watch:` around each blocking call. It is killed after `limit` seconds in one.

    It is killed sooner if `find_cause` knows why it will never answer, which is asked once in each wait.
    """

    def __init__(self, kill: Callable[[], None], limit: float, find_cause: Callable[[], Path | None]) -> None:
        self.kill = kill
        self.limit = limit
        self.find_cause = find_cause
        self.since = 0.0
        self.is_stalled = False
        self._has_looked = False
        _watches.add(self)
        _start()

    def __enter__(self) -> None:
        self._has_looked = False
        self.since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.since = 0.0

    def end_if_stalled(self) -> None:
        """Kill the process if its caller has waited for too long."""
        waited = time.monotonic() - self.since if self.since else 0.0
        if waited > self.limit or (waited > PATIENCE_SECONDS and self._is_hopeless()):
            self.is_stalled = True
            self.kill()

    def _is_hopeless(self) -> bool:
        if self._has_looked:
            return False
        self._has_looked = True
        return self.find_cause() is not None


def pipes_in_repository(common_dir: Path) -> Iterator[Path]:
    """Yield the named pipes where git reads files of a repository: not in gitorch's folder, where agents have rooms."""
    return _pipes(common_dir, without="gitorch")


def pipe_in_work_tree(work_tree: Path) -> Path | None:
    """Return a named pipe with the name of a file that git reads in a work tree."""
    return next((path for path in _pipes(work_tree) if path.name in _READ_IN_WORKTREES), None)


def repository_around(folder: Path) -> Path | None:
    """Return the repository's folder that git would find from a folder in a work tree."""
    return next((path / ".git" for path in (folder, *folder.parents) if (path / ".git").is_dir()), None)


def is_pipe(path: Path) -> bool:
    """Return whether there is a named pipe at a path."""
    try:
        return stat.S_ISFIFO(path.lstat().st_mode)
    except OSError:
        return False


def _pipes(top: Path, without: str = "") -> Iterator[Path]:
    """Yield the named pipes below a folder, `without` one of its folders.

    The types in the entries are enough to know most others.
    """
    folders, count = [top], 0
    while folders and count < _MOST_ENTRIES:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_symlink() or entry.is_file(follow_symlinks=False):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders += [Path(entry.path)] if Path(entry.path) != top / without else []
                elif is_pipe(Path(entry.path)):
                    yield Path(entry.path)


_watches: weakref.WeakSet[Watch] = weakref.WeakSet()
_thread: threading.Thread | None = None


def _start() -> None:
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_look, name="git that stalls", daemon=True)
        _thread.start()


def _look() -> None:
    while True:
        time.sleep(_TICK_SECONDS)
        for watch in [*_watches]:
            watch.end_if_stalled()


def _forget_thread() -> None:
    global _thread
    _thread = None


# a fork has no threads
os.register_at_fork(after_in_child=_forget_thread)
