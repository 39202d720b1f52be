"""Open the folder of a linked worktree without following what an agent may have put in its place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitorch.errors import Refused
from gitorch.git.layout import REMEMBERED_FOLDER
from gitorch.storage import atomic

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LINK_BYTES = 4096


class WorktreeReplaced(Refused):
    """A worktree's folder is gone, or something else is in its place."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            "worktree-replaced",
            f"{path} is not the worktree that gitorch made there: {why}",
            why="git would work on other files, perhaps yours",
            fix=(f"ls -ld {path}",),
        )


@contextmanager
def opened(path: Path, admin: Path) -> Iterator[int]:
    """Yield a descriptor of a worktree's folder; raise `WorktreeReplaced` if it is not the one of this git folder.

    It is if it is the folder that `remember` recorded, or if its `.git` file names the git folder. Neither may be a
    link. Links above the folder are the user's own.
    """
    try:
        folder = os.open(path, _FOLDER)
    except OSError as error:
        raise WorktreeReplaced(path, _explain(path, error)) from error
    try:
        if not _is_remembered(folder, admin) and (reason := _mismatch(folder, path, admin)):
            raise WorktreeReplaced(path, reason)
        yield folder
    finally:
        os.close(folder)


def remember(path: Path, admin: Path) -> None:
    """Record which folder a new worktree has, so that it is known again when an agent has replaced its `.git` file."""
    with opened(path, admin) as folder:
        (admin / REMEMBERED_FOLDER).write_bytes(_identity(folder))


def _is_remembered(folder: int, admin: Path) -> bool:
    return atomic.read_or_empty(admin / REMEMBERED_FOLDER) == _identity(folder)


def _identity(folder: int) -> bytes:
    status = os.fstat(folder)
    return f"{status.st_dev} {status.st_ino}\n".encode()


def is_genuine(path: Path, admin: Path) -> bool:
    """Return whether a folder is the worktree of this git folder, as `opened` requires."""
    try:
        with opened(path, admin):
            return True
    except WorktreeReplaced:
        return False


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "it is gone"
    if path.is_symlink():
        return f"it is a link to {path.readlink()}"
    return "it is not a folder" if error.errno == errno.ENOTDIR else f"it cannot be opened ({error.strerror})"


def _mismatch(folder: int, path: Path, admin: Path) -> str:
    try:
        link = os.open(".git", _FILE, dir_fd=folder)
    except FileNotFoundError:
        return "its .git file is gone"
    except OSError:
        return "its .git is a link"
    try:
        if not stat.S_ISREG(os.fstat(link).st_mode):
            return "its .git is not a file"
        text = os.read(link, _LINK_BYTES)
    finally:
        os.close(link)
    target = os.fsdecode(text.removeprefix(b"gitdir:").strip())
    if text.startswith(b"gitdir:") and os.path.realpath(path / target) == os.path.realpath(admin):
        return ""
    return "its .git file names another repository"
