"""Open the folder of a linked worktree without following what an agent may have put in its place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitorch.errors import Refused
from gitorch.model.naming import REMEMBERED_FOLDER
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
        (admin / REMEMBERED_FOLDER).write_bytes(_identity(folder) + os.fsencode(admin) + b"\n")


def _is_remembered(folder: int, admin: Path) -> bool:
    identity = _identity(folder)
    # a copied repository has the record of the original's worktree; earlier versions recorded no path
    return atomic.read_or_empty(admin / REMEMBERED_FOLDER) in (identity, identity + os.fsencode(admin) + b"\n")


def _identity(folder: int) -> bytes:
    status = os.fstat(folder)
    return f"{status.st_dev} {status.st_ino}\n".encode()


def link_target(path: Path) -> Path | None:
    """Return the git folder that a worktree names; None if there is no worktree, or a link in a place of one."""
    try:
        folder = os.open(path, _FOLDER)
    except OSError:
        return None
    try:
        content = _read_link(folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    return _target(path, content) if content else None


def link(path: Path, admin: Path) -> None:
    """Let a worktree name another git folder."""
    folder = os.open(path, _FOLDER)
    try:
        atomic.replace_in(folder, ".git", b"gitdir: " + os.fsencode(admin) + b"\n", concurrent=True)
    finally:
        os.close(folder)


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
        content = _read_link(folder)
    except FileNotFoundError:
        return "its .git file is gone"
    except OSError:
        return "its .git is a link"
    if content is None:
        return "its .git is not a file"
    target = _target(path, content)
    if target is not None and os.path.realpath(target) == os.path.realpath(admin):
        return ""
    return "its .git file names another repository"


def _read_link(folder: int) -> bytes | None:
    """Return the content of a worktree's `.git` file; None if it is not a file."""
    descriptor = os.open(".git", _FILE, dir_fd=folder)
    try:
        return os.read(descriptor, _LINK_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def _target(path: Path, content: bytes) -> Path | None:
    target = os.fsdecode(content.removeprefix(b"gitdir:").strip())
    return path / target if content.startswith(b"gitdir:") else None
