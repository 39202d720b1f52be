"""The blocks of the task file: one `[[task]]` table per task, made from the task or copied from the file before."""

from __future__ import annotations

import json
import uuid
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.table import to_table
from gitorch.model.task import Task
from gitorch.storage.tasks.later_fields import with_later_fields

HEADER = b"""\
# Tasks of gitorch. You may repair this file by hand while no `orchestrate` command runs.
# It ends with [end]: a file without that is treated as incomplete, and set aside.

"""

_LONG = 16_384
# tomli-w writes short tables in one line, unless one of them is long
_LONG_TABLE = {"x": "x" * 100}
_LONG_BLOCK = f'\n[[task]]\nx = "{"x" * 100}"\n'


class Blocks(msgspec.Struct, frozen=True, array_like=True):
    """Where the block of each task starts in a task file, in bytes, and where the last one ends."""

    starts: tuple[int, ...]
    end: int


class BlockFile(msgspec.Struct, frozen=True):
    """The content of a task file, with its tasks in order and where their blocks are."""

    tasks: Sequence[Task]
    blocks: Blocks
    content: bytes

    def changed(self, left_out: Collection[TaskId], new: Iterable[tuple[Task, bytes]], generation: int) -> BlockFile:
        """Return the file without the blocks of some tasks, and with new ones, all in the order of numbers.

        All that lies between them is copied at once: there may be tens of thousands of tasks.
        """
        old = [(index, 1, 0, None) for index, task in enumerate(self.tasks) if task.id in left_out]
        added = [
            (bisect_left(self.tasks, task.number, key=_NUMBER), 0, task.number, (task, text)) for task, text in new
        ]
        copy = _Copy(self)
        for index, _, _, block in sorted([*old, *added], key=itemgetter(0, 1, 2)):
            copy.take_until(index)
            if block is None:
                copy.leave_out()
            else:
                copy.add(*block)
        copy.take_until(len(self.tasks))
        return copy.finished(generation)


NO_BLOCKS = BlockFile((), Blocks((), len(HEADER)), HEADER)
_NUMBER = attrgetter("number")


class _Copy:
    """A task file that is made from another one, from its first block to its last."""

    def __init__(self, source: BlockFile) -> None:
        self._source = source
        self._position = 0
        self._tasks: list[Task] = []
        self._starts: list[int] = []
        self._size = len(HEADER)
        self._content = memoryview(source.content)  # its slices are no copies
        self._pieces: list[bytes | memoryview] = [HEADER]

    def take_until(self, index: int) -> None:
        """Copy the blocks before one of the source, from where the last step ended."""
        if index > self._position:
            starts, end = self._source.blocks.starts[self._position : index], self._source.blocks.end
            last = self._source.blocks.starts[index] if index < len(self._source.tasks) else end
            moved = self._size - starts[0]
            self._starts += [start + moved for start in starts]
            self._tasks += self._source.tasks[self._position : index]
            self._append(self._content[starts[0] : last])
            self._position = index

    def leave_out(self) -> None:
        """Pass by the next block of the source."""
        self._position += 1

    def add(self, task: Task, text: bytes) -> None:
        self._tasks.append(task)
        self._starts.append(self._size)
        self._append(text)

    def _append(self, text: bytes | memoryview) -> None:
        self._pieces.append(text)
        self._size += len(text)

    def finished(self, generation: int) -> BlockFile:
        end = f"[end]\ntasks = {len(self._tasks)}\ngeneration = {generation}\n".encode()
        return BlockFile(self._tasks, Blocks(tuple(self._starts), self._size), b"".join([*self._pieces, end]))


def render(task: Task, later: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    """Return the block of a task, with the empty line that ends it; `later` are fields of a later version."""
    # imported here: it takes 3 ms, and most commands write no task file
    import tomli_w

    table = with_later_fields(to_table(task, builtin_types=(datetime,)), later)
    # multi-line strings are easier to read, but TOML readers turn "\r\n" into "\n" in them
    multiline = rb"\r" not in msgspec.json.encode(table)
    long = _set_aside(table)
    text = tomli_w.dumps({"task": [table, _LONG_TABLE]}, multiline_strings=multiline).removesuffix(_LONG_BLOCK)
    for placeholder, prompt in long.items():
        text = text.replace(f'"{placeholder}"', prompt, 1)
    return f"{text}\n".encode()


def _set_aside(table: dict[str, Any]) -> Mapping[str, str]:
    """Replace a long prompt with a placeholder; return the prompt by placeholder, as TOML.

    tomli-w takes quadratic time for a long text. A JSON string is valid TOML, except for one character that JSON
    does not have to escape.
    """
    if len(table["prompt"]) <= _LONG:
        return {}
    placeholder = uuid.uuid4().hex
    prompt = json.dumps(table["prompt"], ensure_ascii=False).replace("\x7f", "\\u007f")
    table["prompt"] = placeholder
    return {placeholder: prompt}
