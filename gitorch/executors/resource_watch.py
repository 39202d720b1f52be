"""What a program's processes and its folder use, against limits. Uses only the standard library: see `supervisor`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from gitorch.executors.process_tree import Descendants, descendants, signal_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` would delay the start of every agent and every check
    from collections.abc import Sequence
    from typing import Any

TICK_SECONDS = 1.0
"""Between two looks at the processes."""
_DISK_SECONDS = 10.0
_DISK_SHARE = 50
"""A look at the folder takes at most one part in so many of the time."""
_FLOOR_SECONDS = 1.0
_FLOOR_SHARE = 4
"""What has written less than this part of the floor is not why the disk is full."""
_FASTEST = 4_000_000_000
"""Bytes that a program writes in a second at most, so that none fills a disk between two looks."""
_MOST_FILES = 100_000
"""Files that it makes in a second at most."""
_LEAST_PAUSE = 0.05
_FILES_SHARE = 50
"""With one part in so many of its files left, a disk is nearly full, however small they are."""
_ROUNDS = 50
_BLOCK = 512
_KILOBYTE = 1024


class ResourceWatch:
    """The limits of one program, 0 for none: bytes of memory, a number of processes, bytes below its folder.

    `floor` are the bytes that it must leave free on the disk.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.memory, self.processes, self.disk = spec["memory"], spec["processes"], spec["disk"]
        self.floor = spec["floor"]
        self.started = time.time()
        self.folder = spec["cwd"]
        self.disk_at_start: int | None = None
        self._descendants = Descendants()
        self._spare = 0.0
        self._next = time.monotonic() + TICK_SECONDS
        self._next_disk = time.monotonic() + _DISK_SECONDS
        self.pause = 0.0
        """Seconds until the next look."""

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self.memory or self.processes or self.disk or self.floor)

    def exceeded(self) -> str:
        """Return in words which limit is exceeded; empty for none, and between two looks."""
        if not self.is_limited:
            return ""
        now = time.monotonic()
        spare = _spare_seconds(self.folder, self.floor) if self.floor else sys.maxsize
        is_due = now >= self._next or spare < 0 <= self._spare
        self._spare = spare
        if is_due:
            self._next = now + TICK_SECONDS
        self.pause = min(self._next - now, TICK_SECONDS if spare < 0 else max(_LEAST_PAUSE, spare))
        if not is_due:
            return ""
        pids = self._descendants.pids()
        # those that have ended, and nobody has waited for yet, do not count
        if self.processes and len(pids) > self.processes and len(descendants()) > self.processes:
            return f"had more than {self.processes} processes"
        if self.memory and _resident(pids) > self.memory and _proportional(pids) > self.memory:
            return self.memory_words()
        if self.disk and now >= self._next_disk and self._grown(now) > self.disk:
            return f"wrote more than {_amount(self.disk)} into its folder"
        return self._filled_disk(pids) if spare < 0 else ""

    def _filled_disk(self, pids: Sequence[int]) -> str:
        """Return in words that the program has filled the disk, with bytes or with files; empty if it has not."""
        disk = _disk(self.folder)
        if disk.bytes < self.floor and self._has_written(pids) > self.floor // _FLOOR_SHARE:
            return f"wrote until less than {_amount(self.floor)} of the disk was free"
        if disk.files < disk.fewest_files and _has_files(
            self.folder, disk.fewest_files // _FLOOR_SHARE, since=self.started
        ):
            return f"made files until the disk had room for fewer than {disk.fewest_files} more"
        return ""

    def memory_words(self) -> str:
        """Return in words that the limit of memory is exceeded."""
        return f"used more than {_amount(self.memory)} of memory"

    def _has_written(self, pids: Sequence[int]) -> int:
        """Return how many bytes the program has written: to disks, as the kernel counts, or into its folder."""
        return max(_written(pids), disk_usage(self.folder, _FLOOR_SECONDS, since=self.started, is_part=True) or 0)

    def _grown(self, start: float) -> int:
        used = disk_usage(self.folder) or 0
        now = time.monotonic()
        self._next_disk = now + max(_DISK_SECONDS, _DISK_SHARE * (now - start))
        if self.disk_at_start is None:
            self.disk_at_start = used
        return used - self.disk_at_start


def kill_all() -> None:
    """Kill all descendants. They are stopped first: what forks faster than it is killed would never end."""
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = [pid for pid in descendants() if pid not in stopped]
        if not fresh:
            break
        for pid in fresh:
            signal_quietly(pid, signal.SIGSTOP)
        stopped.update(fresh)
    for pid in descendants():
        signal_quietly(pid, signal.SIGKILL)


def disk_usage(folder: str, seconds: float = 0.0, *, since: float = 0.0, is_part: bool = False) -> int | None:
    """Return the bytes that the files below a folder take on the disk, without following links.

    None: looking took longer than `seconds` (0: no limit); a part is enough where `is_part`. Files that were not
    changed `since` a time do not count.
    """
    total, pending = 0, [folder]
    end = time.monotonic() + seconds
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if seconds and time.monotonic() > end:
                    return total if is_part else None
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_blocks * _BLOCK if status.st_ctime >= since else 0
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total


class Disk:
    """What is free where a folder is: bytes, files, and how many files there should be; where nobody can tell, all."""

    def __init__(self, bytes: int = sys.maxsize, files: int = sys.maxsize, fewest_files: int = 0) -> None:
        self.bytes, self.files, self.fewest_files = bytes, files, fewest_files


def _disk(folder: str) -> Disk:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return Disk()
    # file systems such as btrfs make room for files as they come, and say that they have none
    files = disk.f_favail if disk.f_files else sys.maxsize
    return Disk(disk.f_bavail * disk.f_frsize, files, disk.f_files // _FILES_SHARE)


def _spare_seconds(folder: str, floor: int) -> float:
    """Return how long no program can take more of the disk than it should; below 0 if that has happened."""
    disk = _disk(folder)
    return min((disk.bytes - floor) / _FASTEST, (disk.files - disk.fewest_files) / _MOST_FILES)


def _has_files(folder: str, count: int, *, since: float) -> bool:
    """Return whether more files and folders below a folder than `count` have changed since a time, in a short look."""
    total, pending = 0, [folder]
    end = time.monotonic() + _FLOOR_SECONDS
    while pending and time.monotonic() < end:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_ctime >= since
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                if total > count:
                    return True
    return False


def _written(pids: Sequence[int]) -> int:
    """Return what processes have written to disks, with those below them that have ended, and this one has seen end."""
    total = 0
    for pid in (*pids, os.getpid()):
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/io", "rb") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith(b"write_bytes:"))
    return total


def _resident(pids: Sequence[int]) -> int:
    """Return the resident memory of processes; pages that they share count several times."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
            total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def _proportional(pids: Sequence[int]) -> int:
    """Return the memory of processes, with shared pages counted once. It takes longer."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) * _KILOBYTE
        except (OSError, IndexError):
            total += _resident([pid])
    return total


def _amount(count: int) -> str:
    for unit, divisor in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if count >= divisor:
            return f"{count / divisor:g} {unit}"
    return f"{count} bytes"
