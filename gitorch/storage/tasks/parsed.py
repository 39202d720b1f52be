"""A copy of the tasks in the task file, because reading TOML takes most of the time of a command with many tasks.

The copy names the inode, size and time of the file it was made from, and is used for that file only. It is never
needed: one that is missing, outdated or damaged is ignored.
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.model.naming import TaskId
from gitorch.model.table import Table
from gitorch.model.task import Task
from gitorch.storage import atomic
from gitorch.storage.tasks import run_guard
from gitorch.storage.tasks.blocks import Blocks
from gitorch.storage.tasks.run_guard import Trusted

_SUM_BYTES = 4


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

    def texts(self, path: Path) -> dict[TaskId, bytes]:
        """Return the block of each task in the file; none if it is not the one that this was made from."""
        try:
            content = path.read_bytes()
            if self.blocks is None or self.source != identity(path):
                return {}
        except OSError:
            return {}
        return {task.id: text for task, text in zip(self.tasks, self.blocks.of(content), strict=True)}


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
        if path.read_bytes() == text:  # and no person has saved the file in between
            content = msgspec.structs.replace(content, source=source)
            copy = _packed(content)
            run_guard.trust(path.parent, copy)
            atomic.replace(copy_path(path), copy, durable=False)
    return content


def keep(path: Path, source: Source, content: ParsedTasks) -> None:
    """Keep what a reader had to parse, for the next one: after an upgrade, or an edit by a person.

    `source` is the identity of the file from before it was read. Do not call it while a run watches the file.
    """
    with suppress(OSError):
        if identity(path) == source:
            copy = _packed(msgspec.structs.replace(content, source=source))
            atomic.replace(copy_path(path), copy, durable=False, concurrent=True)


def _packed(content: ParsedTasks) -> bytes:
    packed = msgspec.msgpack.encode(content)
    return zlib.crc32(packed).to_bytes(_SUM_BYTES) + packed


def read(path: Path, trusted: Trusted | None = None) -> ParsedTasks | None:
    """Return what a task file says, if the copy was made from the file as it is now; only a trusted copy."""
    with suppress(OSError, msgspec.DecodeError):
        copy = copy_path(path).read_bytes()
        if trusted is not None and not trusted.has(copy):
            return None
        if zlib.crc32(copy[_SUM_BYTES:]).to_bytes(_SUM_BYTES) == copy[:_SUM_BYTES]:
            with _without_collections():
                content = typed.from_msgpack(copy[_SUM_BYTES:], ParsedTasks)
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
