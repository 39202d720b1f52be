"""`tasks.toml`: all tasks at one moment, in a form that a person can read and repair."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import tomli

from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.table import to_table
from gitorch.model.task import Task
from gitorch.storage import atomic
from gitorch.storage.tasks import parsed

Tasks = dict[TaskId, Task]
Raw = dict[str, dict[str, Any]]
"""Tasks as tables, by their names."""

_HEADER = """\
# Tasks of gitorch. You may repair this file by hand while no `orchestrate` command runs.
# It ends with [end]: a file without that is treated as incomplete, and set aside.

"""

_LONG = 16_384


class Damaged(Exception):
    """The snapshot is missing or damaged; the message says how."""


def render(tasks: Iterable[Task], generation: int) -> bytes:
    """Return the readable task file: one `[[task]]` table per task, sorted by number, and the end mark."""
    # imported here: it takes 3 ms, and most commands write no task file
    import tomli_w

    ordered = sorted(tasks, key=lambda task: task.number)
    tables = [to_table(task, builtin_types=(datetime,)) for task in ordered]
    # multi-line strings are easier to read, but TOML readers turn "\r\n" into "\n" in them
    multiline = rb"\r" not in msgspec.json.encode(tables)
    long = _set_aside(tables)
    document: dict[str, Any] = {"task": tables} if tables else {}
    document["end"] = {"tasks": len(tables), "generation": generation}
    text = tomli_w.dumps(document, multiline_strings=multiline)
    for placeholder, content in long.items():
        text = text.replace(f'"{placeholder}"', content, 1)
    return (_HEADER + text).encode()


def _set_aside(tables: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Replace each long prompt with a placeholder; return the prompts by placeholder, as TOML.

    tomli-w takes quadratic time for a long text. A JSON string is valid TOML, except for one character that JSON
    does not have to escape.
    """
    placeholders: dict[str, str] = {}
    for table in tables:
        if len(table["prompt"]) > _LONG:
            placeholder = uuid.uuid4().hex
            placeholders[placeholder] = json.dumps(table["prompt"], ensure_ascii=False).replace("\x7f", "\\u007f")
            table["prompt"] = placeholder
    return placeholders


def write(path: Path, tasks: Iterable[Task], generation: int) -> None:
    """Replace a snapshot, and keep the previous one."""
    content = render(tasks, generation)
    document = _parsed(content)
    if document["end"]["generation"] != generation:
        raise AssertionError("the task file does not read back as it was written")
    if path.exists():
        link = path.with_name(f"{path.name}.prev.new")
        link.unlink(missing_ok=True)
        os.link(path, link)
        link.replace(previous(path))
    atomic.replace(path, content)
    parsed.write(path, content, document)


def previous(path: Path) -> Path:
    """Return the path of the previous snapshot."""
    return path.with_name(f"{path.name}.prev")


def read(path: Path, *, is_first: bool) -> tuple[Raw, int]:
    """Return a snapshot's tables and generation; raise `Damaged` if it is not complete.

    A missing snapshot is empty if `is_first` (there is no journal) and there is no previous snapshot.
    """
    document = parsed.read(path)
    if document is None:
        try:
            document = _parsed(path.read_bytes())
        except FileNotFoundError:
            if is_first and not previous(path).exists():
                return {}, 0
            raise Damaged("it is missing") from None
    try:
        return {table["id"]: table for table in document.get("task", [])}, document["end"]["generation"]
    except (KeyError, TypeError) as error:
        raise unreadable("a [[task]] has no id") from error


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = tomli.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Damaged("it is not UTF-8") from error
    except tomli.TOMLDecodeError as error:
        raise Damaged(f"line {error.lineno}: {error.msg}") from error
    end = document.get("end")
    if not isinstance(end, dict) or not isinstance(end.get("generation"), int):
        raise Damaged("its end is missing")
    return document


def unreadable(reason: str) -> InvalidInput:
    """Return the error for a complete task file with invalid content."""
    fix = ("repair it, or move it away to have it rebuilt",)
    return InvalidInput("tasks-file", f"tasks.toml: {reason}", fix=fix)


def identity(path: Path) -> tuple[int, int] | None:
    """Return a value that changes if a file is replaced or edited: inode and modification time in nanoseconds."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
