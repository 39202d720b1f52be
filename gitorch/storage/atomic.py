"""Files that a crash leaves whole: the old content or the new, and every line that was acknowledged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file whole, durably: write beside it, fsync, rename, fsync the folder."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if mode is not None:
            os.fchmod(file.fileno(), mode)
    beside.replace(path)
    sync(path.parent)


def append(path: Path, lines: Iterable[bytes], *, durably: bool = True) -> None:
    """Add lines, given without their ends, to a file; one that a crash cut short there is ended first.

    What is not written `durably` may be gone after the machine stopped, and is whole otherwise.
    """
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = size > 0 and file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + b"".join(line + b"\n" for line in lines))
        file.flush()
        if durably:
            os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
