"""How long files of the state were when they were last written: one that was cut, emptied or removed is noticed.

A file that only grows cannot show by itself that its end is missing. So its writer notes the size in `sizes/`, after
the content is on the disk: a note never claims more than there was. Notes are not durable, and one that is damaged or
missing says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from gitorch import regular_files, typed

_FOLDER = "sizes"


class Size(msgspec.Struct, frozen=True, omit_defaults=True):
    """The size in bytes that a file had; `path` is relative to the state folder.

    `number` is that of its last entry, where entries have numbers.
    """

    path: str
    size: int
    number: int = 0


def note(folder: Path, path: Path, *, name: str = "", number: int = 0) -> None:
    """Note the size that a file of the state folder has now, under its own name unless `name` is given.

    Call it with the file's lock held, after the content is durable, and before a file is made shorter.
    """
    with suppress(OSError):
        size = Size(str(path.relative_to(folder)), path.stat().st_size if path.exists() else 0, number)
        (folder / _FOLDER).mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        file = regular_files.open_at_once(_file(folder, name or path.name), flags)
        try:
            content = msgspec.json.encode(size)
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        finally:
            os.close(file)


def forget(folder: Path, name: str) -> None:
    """Forget the size of a file, before it is removed or made shorter."""
    with suppress(OSError):
        _file(folder, name).unlink()


def noted(folder: Path, name: str) -> Size | None:
    """Return what was last noted about a file; None if nothing is known."""
    try:
        return typed.from_json(regular_files.read(_file(folder, name)), Size)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def missing_bytes(folder: Path, name: str) -> int:
    """Return how many bytes a file has less than it had; 0 if nothing is known."""
    # the note first: meanwhile the file can only grow
    size = noted(folder, name)
    return max(0, size.size - _size(folder / size.path)) if size else 0


def shortened(folder: Path) -> Iterator[str]:
    """Yield the names of the files that are shorter than they were, or missing."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder / _FOLDER))
    except OSError:
        return
    for name in names:
        if missing_bytes(folder, name):
            yield name


def _file(folder: Path, name: str) -> Path:
    return folder / _FOLDER / name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError:
        return 1 << 62  # what stands in its place is reported by those who read it
