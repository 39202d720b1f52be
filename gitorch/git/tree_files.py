"""Read the files of a folder that an agent can write: no link is followed, and nothing but plain files is opened."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class FileContent(msgspec.Struct, frozen=True):
    """A file as git stores it: its mode, and its bytes (of a symbolic link: the target)."""

    mode: str
    content: bytes


class NotSaved(msgspec.Struct, frozen=True):
    """Why a path has no content to save."""

    reason: str


def read(top: int, path: str, limit: int) -> FileContent | NotSaved | None:
    """Return a file below the open folder `top`; None if there is none, or if a link leads to it.

    One of more than `limit` bytes is not read.
    """
    *folders, name = path.split("/")
    opened = []
    try:
        parent = top
        for folder in folders:
            parent = os.open(folder, _FOLDER, dir_fd=parent)
            opened.append(parent)
        return _read_entry(parent, name, limit)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        return NotSaved(error.strerror or "cannot be read")
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read_entry(parent: int, name: str, limit: int) -> FileContent | NotSaved | None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return FileContent("120000", os.fsencode(os.readlink(name, dir_fd=parent)))
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return NotSaved(kind(status.st_mode))
    with os.fdopen(os.open(name, _FILE, dir_fd=parent), "rb") as file:
        status = os.fstat(file.fileno())
        # it may have been replaced since
        if not stat.S_ISREG(status.st_mode):
            return NotSaved(kind(status.st_mode))
        content = file.read(limit + 1) if status.st_size <= limit else None
    if content is None or len(content) > limit:
        return NotSaved(f"{max(status.st_size, limit + 1)} bytes")
    return FileContent("100755" if status.st_mode & stat.S_IXUSR else "100644", content)


def kind(mode: int) -> str:
    """Return what a path is that is neither a file nor a folder nor a link."""
    return _KINDS.get(stat.S_IFMT(mode), "a special file")


class FolderScan(msgspec.Struct, frozen=True):
    """What is below a folder: files and links, special files with their kind, and repositories inside.

    Repositories are named without a slash at the end, and their files are not listed.
    """

    files: tuple[str, ...]
    special: dict[str, str]
    repositories: tuple[str, ...]


def scan(top: int, folder: str = "", *, limit: int) -> FolderScan:
    """List what is below a folder of the open folder `top`, at most `limit` of each; its own `.git` is left out."""
    files: list[str] = []
    special: dict[str, str] = {}
    repositories: list[str] = []
    for path, mode in _walk(top, folder):
        if stat.S_ISDIR(mode):
            repositories += [path] if len(repositories) < limit else []
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            files += [path] if len(files) < limit else []
        elif len(special) < limit:
            special[path] = kind(mode)
    return FolderScan(tuple(files), special, tuple(repositories))


def _walk(top: int, folder: str) -> Iterator[tuple[str, int]]:
    """Yield paths and their modes; a folder is yielded only if it is a repository, and then not entered."""
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            entries = _list(top, current)
        except OSError:
            continue  # it was removed or replaced, or cannot be read
        if current != folder and any(name == ".git" for name, _ in entries):
            yield current, stat.S_IFDIR
            continue
        for name, mode in entries:
            path = f"{current}/{name}" if current else name
            if stat.S_ISDIR(mode):
                if name != ".git":
                    pending.append(path)
            elif path != (f"{folder}/.git" if folder else ".git"):
                yield path, mode


def _list(top: int, folder: str) -> list[tuple[str, int]]:
    parent = os.dup(top)
    try:
        for part in folder.split("/") if folder else ():
            child = os.open(part, _FOLDER, dir_fd=parent)
            os.close(parent)
            parent = child
        with os.scandir(parent) as entries:
            return sorted((entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries)
    finally:
        os.close(parent)


def open_folder(path: Path) -> int:
    """Open a folder of gitorch's own; raise `OSError` if a link is in its place."""
    return os.open(path, _FOLDER)
