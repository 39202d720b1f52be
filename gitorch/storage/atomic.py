"""Atomic file operations: after a crash a file has its old or its new content, and every acknowledged line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gitorch import regular_files

TORN = b" (incomplete)"
"""Ends a line that a killed writer left incomplete: what it announced has not begun."""


def replace(
    path: Path, content: bytes | bytearray, *, mode: int | None = None, durable: bool = True, concurrent: bool = False
) -> None:
    """Replace a file: write a new one, fsync, rename, fsync the folder.

    Readers see the old or the new content, also after a crash. A power cut may undo a write that is not `durable`.
    `mode` is the file's permissions. Use `concurrent` if several processes may replace it at the same time: each
    then writes its own temporary file, which a killed process leaves behind.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        replace_in(folder, path.name, content, mode=mode, durable=durable, concurrent=concurrent)
    finally:
        os.close(folder)


def replace_in(
    folder: int,
    name: str,
    content: bytes | bytearray,
    *,
    mode: int | None = None,
    durable: bool = True,
    concurrent: bool = False,
) -> None:
    """Replace a file in an open folder, as `replace` does, without resolving the path again."""
    new = f".gitorch-{os.urandom(8).hex()}" if concurrent else f"{name}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_EXCL if concurrent else os.O_TRUNC)
    descriptor = os.open(new, flags, 0o666 if mode is None else mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        raise
    if durable:
        os.fsync(folder)


def write(path: Path, content: bytes) -> None:
    """Write a new file durably; its name is durable once its folder is synced."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def append(path: Path, lines: Iterable[bytes], *, durable: bool = True) -> None:
    """Append lines, given without line ends, to a file; first end an incomplete last line that a crash left.

    A power cut may lose lines that are not `durable`. A link in place of the file is not followed.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(regular_files.open_at_once(path, flags), "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        is_torn = size > 0 and file.read(1) != b"\n"
        file.write((TORN + b"\n" if is_torn else b"") + b"".join(line + b"\n" for line in lines))
        file.flush()
        if durable:
            os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_empty(path: Path) -> bytes:
    """Return the content of a file; empty if there is none."""
    try:
        return regular_files.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
