"""A copy of the parsed task file, because reading TOML takes most of the time of `status` at a thousand tasks.

The copy names the inode, size and time of the file it was made from, and is used for that file only. It is never
needed: one that is missing, outdated or damaged is ignored.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gitorch import typed
from gitorch.storage import atomic

_SUM_BYTES = 4


class _Copy(msgspec.Struct, array_like=True):
    source: tuple[int, int, int]
    document: dict[str, Any]


def copy_path(path: Path) -> Path:
    """Return where the copy of a task file is kept."""
    return path.with_name(f"{path.name}.parsed")


def write(path: Path, text: bytes, document: dict[str, Any]) -> None:
    """Keep the document of a task file that was just written.

    It need not be durable: the checksum tells a copy that a crash cut short. Nor need it be written: the task file is
    whole without it, on a full disk too.
    """
    with suppress(OSError):
        source = _source(path)
        if path.read_bytes() == text:  # and no person has saved the file in between
            content = msgspec.msgpack.encode(_Copy(source, document))
            atomic.replace(copy_path(path), zlib.crc32(content).to_bytes(_SUM_BYTES) + content, durable=False)


def read(path: Path) -> dict[str, Any] | None:
    """Return what a task file says, if the copy was made from the file as it is now."""
    with suppress(OSError, msgspec.DecodeError):
        content = copy_path(path).read_bytes()
        if zlib.crc32(content[_SUM_BYTES:]).to_bytes(_SUM_BYTES) == content[:_SUM_BYTES]:
            copy = typed.from_msgpack(content[_SUM_BYTES:], _Copy)
            if copy.source == _source(path):
                return copy.document
    return None


def _source(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
