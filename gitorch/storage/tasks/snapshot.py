"""`tasks.toml`: all tasks at one moment, in a form that a person can read and repair."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import tomli

from gitorch import regular_files
from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.table import from_tables
from gitorch.model.task import Task
from gitorch.storage import atomic
from gitorch.storage.tasks import blocks, parsed, run_guard
from gitorch.storage.tasks.later_fields import later_fields
from gitorch.storage.tasks.parsed import ParsedTasks
from gitorch.storage.tasks.run_guard import Trusted
from gitorch.storage.tasks.upgrade import with_names_of_today

Tasks = dict[TaskId, Task]
EMPTY = ParsedTasks(0, [])
_WORTH_KEEPING = 64_000
"""Bytes of a task file that takes long to parse; what is smaller is parsed each time until it is written again."""


_END_BYTES = 64


class Damaged(Exception):
    """The snapshot is missing or damaged; the message says how."""


class Foreign(Damaged):
    """Another program has changed the tasks of an active run."""


def write(
    path: Path, tasks: Iterable[Task], generation: int, last: ParsedTasks, changed: Collection[TaskId]
) -> ParsedTasks:
    """Replace a snapshot, keep the previous one, and return the content.

    `last` is the content as it was read or written last, and `changed` are the tasks that differ from it. The blocks of
    the others are copied from the file, unless a person may have edited it.
    """
    before = last.file(path)
    copied = {task.id for task in before.tasks}.difference(changed)
    new = sorted((task for task in tasks if task.id not in copied), key=attrgetter("number"))
    texts = [blocks.render(task, last.later.get(task.id, {})) for task in new]
    _check(texts, new)
    file = before.changed(changed, zip(new, texts, strict=True), generation)
    names = {task.id for task in file.tasks} if last.later else ()
    later = {name: fields for name, fields in last.later.items() if name in names}
    if path.exists():
        link = path.with_name(f"{path.name}.prev.new")
        link.unlink(missing_ok=True)
        os.link(path, link)
        link.replace(previous(path))
    run_guard.trust(path.parent, file.content)
    atomic.replace(path, file.content)
    return parsed.write(path, file.content, ParsedTasks(generation, [*file.tasks], file.blocks, later=later))


def _check(texts: Sequence[bytes], tasks: Sequence[Task]) -> None:
    """Raise `AssertionError` if new blocks do not read back as their tasks."""
    document = tomli.loads(b"".join(texts).decode())
    if from_tables(document.get("task", [])) != [*tasks]:
        raise AssertionError("the task file does not read back as it was written")


def previous(path: Path) -> Path:
    """Return the path of the previous snapshot."""
    return path.with_name(f"{path.name}.prev")


def read(path: Path, *, is_first: bool, trusted: Trusted | None = None) -> ParsedTasks:
    """Return the content of a snapshot; raise `Damaged` if it is not complete, `Foreign` if it is not trusted.

    A missing snapshot is empty if `is_first` (there is no journal) and there is no previous snapshot.
    """
    try:
        if trusted is None:
            return parsed.read(path) or _reparsed(path)
        text = regular_files.read(path) if stat.S_ISREG(path.lstat().st_mode) else b""
        if not trusted.has(text):
            raise Foreign("it is not as gitorch wrote it")
        return parsed.read(path, trusted) or _parsed(text)
    except FileNotFoundError:
        if is_first and not previous(path).exists():
            return EMPTY
        raise (Damaged if trusted is None else Foreign)("it is missing") from None


def stated_generation(path: Path) -> int:
    """Return the generation that the end of a snapshot names, without reading the rest; 0 if it names none."""
    with suppress(OSError), os.fdopen(regular_files.open_at_once(path), "rb") as file:
        file.seek(-min(_END_BYTES, file.seek(0, os.SEEK_END)), os.SEEK_END)
        stated = re.search(rb"^generation = ([0-9]{1,18})\n\Z", file.read(), re.MULTILINE)
        return int(stated[1]) if stated else 0
    return 0


def _reparsed(path: Path) -> ParsedTasks:
    source, text = parsed.identity(path), regular_files.read(path)
    content = _parsed(text)
    if len(text) >= _WORTH_KEEPING:
        parsed.keep(path, source, content)
    return content


def _parsed(content: bytes) -> ParsedTasks:
    try:
        document = tomli.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Damaged("it is not UTF-8") from error
    except tomli.TOMLDecodeError as error:
        raise Damaged(f"line {error.lineno}: {error.msg}") from error
    end = document.get("end")
    if not isinstance(end, dict) or not isinstance(end.get("generation"), int):
        raise Damaged("its end is missing")
    tables = _tables_of(document)
    try:
        tasks = from_tables(list(tables.values()))
    except msgspec.ValidationError as error:
        raise unreadable(str(error)) from error
    later = {name: fields for name, table in tables.items() if (fields := later_fields(table))}
    return ParsedTasks(end["generation"], tasks, later=later)


def _tables_of(document: Mapping[str, Any]) -> dict[TaskId, Mapping[str, Any]]:
    try:
        tables = map(with_names_of_today, document.get("task", []))
        return {TaskId(table["id"]): table for table in tables}
    except (KeyError, TypeError) as error:
        raise unreadable("a [[task]] has no id") from error


def unreadable(reason: str) -> InvalidInput:
    """Return the error for a complete task file with invalid content."""
    fix = ("repair it, or move it away to have it rebuilt",)
    return InvalidInput("tasks-file", f"tasks.toml: {reason}", fix=fix)


def identity(path: Path) -> tuple[int, int, int] | None:
    """Return a value that changes if a file is replaced or edited: inode, modification and change time in ns."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns
