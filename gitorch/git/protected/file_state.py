"""The state of a file as text, to compare it with a later one: follows no link, opens no pipe."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from gitorch.regular_files import read_start

# larger files are compared by size and time
_HASHED_BYTES = 32 << 20
_WATCHED_BYTES = 1 << 20


def digest(path: Path) -> str:
    """Return a digest of a file's content and mode; empty if it does not exist."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return "link " + hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        if not stat.S_ISREG(status.st_mode):
            return f"mode {status.st_mode:o}"
        if status.st_size > _HASHED_BYTES:
            return f"mode {status.st_mode:o} size {status.st_size} time {status.st_mtime_ns}"
        return f"{hashlib.sha256(read_start(path, _HASHED_BYTES)).hexdigest()} mode {status.st_mode:o}"
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError:
        return "unreadable"


def quick_digest(path: Path) -> str:
    """Return a digest of a small file; of a large one, which may be a database, what changes when it is written."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    if status.st_size <= _WATCHED_BYTES:
        return digest(path)
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_mode:o}"


def permissions(path: Path) -> str:
    """Return the permission bits of a file or folder in octal; empty if it cannot be examined."""
    try:
        return f"{stat.S_IMODE(path.lstat().st_mode):o}"
    except OSError:
        return ""


def printable(name: str) -> str:
    """Return a file name as valid UTF-8, with escapes for other bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
