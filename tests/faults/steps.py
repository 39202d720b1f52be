"""The steps that a process makes outwards, of which those count before which something has changed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR

_CHANGES = frozenset(
    "os.rename os.link os.remove os.mkdir os.rmdir os.symlink os.truncate os.chmod os.utime os.kill os.killpg os.fork"
    " os.posix_spawn subprocess.Popen".split()
)
"""What the interpreter tells of before it does it; a rename is also what `os.replace` is called there."""

_STARTS = frozenset("os.kill os.killpg os.fork os.posix_spawn subprocess.Popen".split())
"""Those of them that change which processes there are, which no file shows."""

_READING_GIT = frozenset(
    "cat-file check-attr check-ignore check-ref-format diff diff-files diff-index diff-tree for-each-ref log ls-files"
    " ls-tree merge-base patch-id rev-list rev-parse show show-ref var version --version".split()
)
"""Commands of git that change nothing; `diff` and others refresh an index only with optional locks, which are off."""

_CALL_SECONDS, _PROGRAM_SECONDS = 0.05, 0.3
"""How long something may take that a thread has begun, if that thread makes no other step."""


class Steps:
    """Counts the steps of this process, as an audit hook is told of them.

    A step does not count if nothing has changed since the one before: a file of our own that is opened again, a folder
    that exists, a git that reads. What a thread does counts as a change until its next step, or for some time. With a
    folder, the files below it say whether something has changed, unless it is which processes there are.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._pid, self._count, self._folder = os.getpid(), 0, folder
        self._writes = -1
        self._changing: dict[int, float] = {}
        self._starting: set[int] = set()
        self._listing: list[tuple[str, int, int, int]] = []
        io = Path("/proc/self/io")
        self._io = os.open(io, os.O_RDONLY) if io.exists() else None
        self._lock = threading.RLock()

    def number(self, event: str, args: tuple[Any, ...]) -> int:
        """Return which step is about to be made, from 1, or 0 if it is none that counts."""
        # a fork may have a lock that no thread of it will ever release
        if not _is_step(event, args) or os.getpid() != self._pid:
            return 0
        with self._lock:
            has_changed = self._has_changed()
            if _changes(event, args):
                thread, seconds = threading.get_ident(), _CALL_SECONDS
                if event in _STARTS:
                    self._starting.add(thread)
                    seconds = _PROGRAM_SECONDS
                self._changing[thread] = time.monotonic() + seconds
            self._count += has_changed
            return self._count if has_changed else 0

    def _has_changed(self) -> bool:
        """Return whether a kill now leaves something else than one at the last step that counted."""
        now, thread = time.monotonic(), threading.get_ident()
        was_changing = self._changing.pop(thread, None) is not None
        has_started = thread in self._starting
        self._starting.discard(thread)
        may_have = self._has_written() or was_changing or any(end > now for end in self._changing.values())
        if not may_have or self._folder is None:
            return may_have
        listing = list(_listed(self._folder))
        is_new = listing != self._listing
        self._listing = listing
        return is_new or has_started

    def _has_written(self) -> bool:
        """Return whether a thread of this process has written to anything since the last call."""
        if self._io is None:
            return True
        fields = dict(line.split(b": ") for line in os.pread(self._io, 4096, 0).splitlines())
        writes, self._writes = self._writes, int(fields[b"syscw"])
        return writes != self._writes


def _listed(folder: Path | str) -> Iterator[tuple[str, int, int, int]]:
    """Yield what tells one state of the files below a folder from another."""
    # an agent may take away what is being listed
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            yield entry.path, status.st_ino, status.st_size, status.st_ctime_ns
            if entry.is_dir(follow_symlinks=False):
                yield from _listed(entry.path)


def _is_step(event: str, args: tuple[Any, ...]) -> bool:
    return bool(args[2] & _WRITES) if event == "open" else event in _CHANGES


def _changes(event: str, args: tuple[Any, ...]) -> bool:
    """Return whether a step changes something outside, or may do so."""
    match event, args:
        case "open", (path, _, flags):
            # relative to which folder, the event does not tell
            return bool(flags & (os.O_CREAT | os.O_TRUNC)) and not _is_harmless(path, flags)
        case "os.mkdir", (path, _, folder):
            return not _exists(path, folder)
        case (("os.remove" | "os.rmdir"), (path, folder)):
            return _exists(path, folder)
        case "subprocess.Popen", (_, words, *_):
            return not _reads(words)
        case _:
            return True


def _is_harmless(path: object, flags: int) -> bool:
    """Return whether a file that is opened for writing is an open one, or is there and keeps what it holds."""
    if not isinstance(path, str | bytes):
        return True
    return os.path.isabs(path) and not flags & os.O_TRUNC and os.path.lexists(path)


def _exists(path: str | bytes, folder: int) -> bool:
    try:
        os.stat(path, dir_fd=None if folder == -1 else folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _reads(words: object) -> bool:
    """Return whether a program is a git that only reads."""
    if not isinstance(words, list | tuple) or not words or words[0] != "git":
        return False
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "-C"):
            next(rest)
        elif not word.startswith("--") or word in _READING_GIT:
            return word in _READING_GIT or (
                word == "config" and any("--get" in each or each == "--list" for each in rest)
            )
    return False
