"""A copy of the tasks in the task file, because reading TOML takes most of the time of a command with many tasks.

The copy names the inode, size and time of the file it was made from, and is used for that file only. It is never
needed: one that is missing, outdated or damaged is ignored.
"""

from __future__ import annotations

import gc
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gitorch import regular_files, typed
from gitorch.model.naming import TaskId
from gitorch.model.table import Table
from gitorch.model.task import Task
from gitorch.storage import atomic
from gitorch.storage.tasks import run_guard
from gitorch.storage.tasks.blocks import NO_BLOCKS, BlockFile, Blocks
from gitorch.storage.tasks.run_guard import Trusted

_SUM_BYTES = 4
_PART_BYTES = 65_536


Source = tuple[int, int, int, int]
"""Inode, size, modification time and change time of a file."""


class ParsedTasks(msgspec.Struct, frozen=True, array_like=True):
    """What a task file says.

    `blocks` is where each task is in the file of `source`. Both are None if that file was read as TOML: a person may
    have edited it. `later` has the fields of tasks that a later version has written.
    """

    generation: int
    tasks: list[Task]
    blocks: Blocks | None = None
    source: Source | None = None
    later: dict[TaskId, Table] = {}

    def file(self, path: Path) -> BlockFile:
        """Return the file with the block of each task; an empty one if it is not what this was made from."""
        with suppress(OSError):
            content = regular_files.read(path)
            if self.blocks is not None and self.source == identity(path):
                return BlockFile(self.tasks, self.blocks, content)
        return NO_BLOCKS


def copy_path(path: Path) -> Path:
    """Return where the copy of a task file is kept."""
    return path.with_name(f"{path.name}.parsed")


def write(path: Path, text: bytes, content: ParsedTasks) -> ParsedTasks:
    """Keep the content of a task file that was just written, and return it with its source.

    It need not be durable: the checksum tells a copy that a crash cut short. Nor need it be written: the task file is
    whole without it, on a full disk too.
    """
    with suppress(OSError):
        source = identity(path)
        if _has_content(path, text):  # and no person has saved the file in between
            content = msgspec.structs.replace(content, source=source)
            copy = _packed(content)
            run_guard.trust(path.parent, copy)
            atomic.replace(copy_path(path), copy, durable=False)
    return content


def _has_content(path: Path, text: bytes) -> bool:
    """Return whether a file has this content; a whole copy of it in memory would cost more than reading it."""
    part, expected = memoryview(bytearray(_PART_BYTES)), memoryview(text)
    with os.fdopen(regular_files.open_at_once(path), "rb", buffering=0) as file:
        while size := file.readinto(part):
            if part[:size] != expected[:size]:
                return False
            expected = expected[size:]
    return not expected


def keep(path: Path, source: Source, content: ParsedTasks) -> None:
    """Keep what a reader had to parse, for the next one: after an upgrade, or an edit by a person.

    `source` is the identity of the file from before it was read. Do not call it while a run watches the file.
    """
    with suppress(OSError):
        if identity(path) == source:
            copy = _packed(msgspec.structs.replace(content, source=source))
            atomic.replace(copy_path(path), copy, durable=False, concurrent=True)


def _packed(content: ParsedTasks) -> bytearray:
    packed = bytearray()
    msgspec.msgpack.Encoder().encode_into(content, packed, _SUM_BYTES)
    packed[:_SUM_BYTES] = zlib.crc32(memoryview(packed)[_SUM_BYTES:]).to_bytes(_SUM_BYTES)
    return packed


def read(path: Path, trusted: Trusted | None = None) -> ParsedTasks | None:
    """Return what a task file says, if the copy was made from the file as it is now; only a trusted copy."""
    with suppress(OSError, msgspec.DecodeError):
        copy = regular_files.read(copy_path(path))
        if trusted is not None and not trusted.has(copy):
            return None
        packed = memoryview(copy)[_SUM_BYTES:]  # a copy of it would be megabytes
        if zlib.crc32(packed).to_bytes(_SUM_BYTES) == copy[:_SUM_BYTES]:
            with _without_collections():
                content = typed.from_msgpack(packed, ParsedTasks)
            if content.source == identity(path):
                return content
    return None


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let no garbage be collected while tens of thousands of values are made, none of which is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def identity(path: Path) -> Source:
    """Return what changes when a file is replaced or edited; raise `FileNotFoundError` if there is none."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
