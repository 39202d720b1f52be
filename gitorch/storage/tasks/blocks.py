"""The blocks of the task file: one `[[task]]` table per task, made from the task or copied from the file before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

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

    def of(self, content: bytes) -> list[bytes]:
        """Return the blocks in the content of the file, in order."""
        ends = [*self.starts[1:], self.end]
        return [content[start:end] for start, end in zip(self.starts, ends, strict=False)]


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


def join(blocks: Sequence[bytes], generation: int) -> tuple[bytes, Blocks]:
    """Return the content of the task file with these blocks, and where they are in it."""
    starts = []
    size = len(HEADER)
    for block in blocks:
        starts.append(size)
        size += len(block)
    end = f"[end]\ntasks = {len(blocks)}\ngeneration = {generation}\n".encode()
    return b"".join([HEADER, *blocks, end]), Blocks(tuple(starts), size)


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
