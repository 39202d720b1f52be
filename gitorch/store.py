"""The task file: read, lock, append, replace whole.

`tasks.toml` is the readable snapshot; changes since are lines of `journal/<generation>.jsonl`, folded in by every
reader. One change costs one line and one fsync, however many tasks there are; the snapshot is rewritten at a
bounded rate. Each journal starts at the snapshot of its name, and the one before is kept: a snapshot that is
damaged can be made again from `tasks.toml.prev` and the journals.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import tomli

from gitorch import locks
from gitorch.errors import InvalidInput, Refused
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

Tasks = dict[TaskId, Task]
Raw = dict[str, dict[str, Any]]
Pair = tuple[Task | None, Task | None]
"""A change of one task: as it was seen (None: it is new), and as it is to be (None: it is dropped)."""

SNAPSHOT_SECONDS = 5.0
SNAPSHOT_SHARE = 50.0  # at most one fiftieth of the time goes into snapshots

_REPAIR = ("repair it, or move it away to have it rebuilt",)

_HEADER = """\
# Tasks of gitorch. You may repair this file by hand while no `orchestrate` command runs.
# It ends with [end]: a file without that is taken for cut short, and set aside.

"""


class TaskMoved(Refused):
    """Somebody else changed the task's state in the meantime."""


class Damaged(Exception):
    """The snapshot cannot be trusted: why."""


class Store:
    """The tasks of one repository, in a folder that all its worktrees share.

    `rebuild` is called when nothing in the folder can be read any more; it returns the tasks that branches and notes
    tell of. What a reader should know is appended to `notices`.
    """

    def __init__(self, folder: Path, rebuild: Callable[[], Iterable[Task]] = tuple) -> None:
        self.folder = folder
        self.rebuild = rebuild
        self.notices: list[str] = []
        # attempts look at other tasks from threads of their own
        self._threads = threading.RLock()
        self._is_held = False
        self.tasks: Tasks = {}
        self.generation = 0
        self._snapshot_generation = 0
        self._snapshot_cost = 0.0
        self._journal_bytes: dict[str, int] = {}
        self._identity: tuple[int, int] | None = None

    @property
    def file(self) -> Path:
        return self.folder / "tasks.toml"

    def load(self) -> Tasks:
        """Read the tasks as they stand now, without waiting for another process that writes."""
        with self._threads:
            try:
                self._read()
            except Damaged:
                with self._locked():
                    self._read_or_recover()
            return self.tasks

    def current(self) -> Tasks:
        """Return the tasks as they stand now; read again only when somebody else has written."""
        with self._threads:
            if self._journal_bytes != _sizes(self.folder) or self._identity != _identity(self.file):
                return self.load()
            return self.tasks

    def _read(self) -> None:
        # journals first: a snapshot that replaces them in between only holds more than they do
        entries, self._journal_bytes = _journals(self.folder)
        self._identity = _identity(self.file)
        raw, generation = _snapshot(self.file, fresh=not entries)
        self._snapshot_generation = generation
        self.tasks, self.generation = _folded(raw, generation, entries)

    def _catch_up(self) -> None:
        """Read again when another process has written since. Call with the lock held."""
        if self._journal_bytes != _sizes(self.folder) or self._identity != _identity(self.file):
            self._read_or_recover()

    def _read_or_recover(self) -> None:
        """Read, and mend what is damaged. Call with the lock held: somebody else may just have mended it."""
        try:
            self._read()
        except Damaged as damage:
            self._recover(damage)

    def save(self, changed: Iterable[Task], *, dropped: Iterable[TaskId] = ()) -> None:
        """Make changes durable, all or none.

        Each task's difference to what this store last saw is recorded; a new task whose number another command has
        just taken gets the next one. Raises `TaskMoved` when another process has changed the state of one of them
        since, or taken its name.
        """
        with self._threads, self._locked():
            before = dict(self.tasks)
            self._catch_up()
            numbered = self._numbered(changed)
            entries = [entry for task in numbered if (entry := self._difference(before.get(task.id), task))]
            entries += [{"task": name, "drop": True} for name in dropped if name in self.tasks]
            if entries:
                self._append(entries)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep all other writers out, so that what is read stays true until it is saved. Readers never wait."""
        with self._threads, self._locked():
            yield

    def rebased(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return changes of tasks as they are to be made now: each task as it is, and as it will be. Call while `held`.

        Raises `TaskMoved` as `save` does; what others changed beside the task's state is kept.
        """
        self._catch_up()
        numbered = self._numbered(new for _, new in pairs if new is not None)
        return [
            (self._dropped(seen), None) if new is None else self._rebased(seen, next(numbered)) for seen, new in pairs
        ]

    def _rebased(self, seen: Task | None, new: Task) -> Pair:
        entry = self._difference(seen, new)
        now = self.tasks.get(new.id)
        if entry is None:
            return now, now
        return now, msgspec.convert({**(msgspec.to_builtins(now) if now else {}), **entry["set"]}, Task)

    def _dropped(self, seen: Task | None) -> Task:
        assert seen is not None
        now = self.tasks.get(seen.id)
        if now is None or now.state is not seen.state:
            raise _moved(seen.id, now)
        return now

    def _numbered(self, changed: Iterable[Task]) -> Iterator[Task]:
        owners = {task.number: task.id for task in self.tasks.values()}
        for task in changed:
            number = task.number
            if task.id not in self.tasks and owners.get(number, task.id) != task.id:
                number = max(owners) + 1
            owners[number] = task.id
            yield task if number == task.number else msgspec.structs.replace(task, number=number)

    def _difference(self, seen: Task | None, task: Task) -> dict[str, Any] | None:
        now = self.tasks.get(task.id)
        if (seen is None) != (now is None) or (seen and now and task.state != seen.state != now.state):
            raise _moved(task.id, now)
        fields = {
            name: value
            for name in Task.__struct_fields__
            if (value := getattr(task, name)) != (getattr(seen, name) if seen else ...)
        }
        return {"task": task.id, "set": msgspec.to_builtins(fields)} if fields else None

    def _append(self, entries: list[dict[str, Any]]) -> None:
        numbered = [{"g": self.generation + 1 + at, **entry} for at, entry in enumerate(entries)]
        folder = self.folder / "journal"
        folder.mkdir(exist_ok=True)
        path = folder / f"{self._snapshot_generation:012}.jsonl"
        fresh = not path.exists()
        with path.open("ab") as file:
            file.truncate(self._journal_bytes.get(path.name, 0))  # a line that a crash cut short
            file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in numbered))
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync(folder)
        self._journal_bytes[path.name] = path.stat().st_size
        for entry in numbered:
            _fold(self.tasks, entry)
        self.generation = numbered[-1]["g"]

    def snapshot_if_due(self) -> None:
        """Rewrite the readable file when its turn has come: at a bounded rate, and a bounded share of the time."""
        since = time.time() - (self._identity[1] / 1e9 if self._identity else 0.0)
        if not 0 <= since < max(SNAPSHOT_SECONDS, SNAPSHOT_SHARE * self._snapshot_cost):
            self.snapshot()

    def snapshot(self) -> None:
        """Rewrite the readable file, if anything changed since."""
        with self._threads, self._locked():
            self._catch_up()
            if self.generation > self._snapshot_generation or not self.file.exists():
                self._write_snapshot()

    def _write_snapshot(self) -> None:
        begun = time.monotonic()
        content = render(self.tasks.values(), self.generation)
        _read_back(content, self.generation)
        previous = self.file.with_name("tasks.toml.prev")
        if self.file.exists():
            link = previous.with_name("tasks.toml.prev.new")
            link.unlink(missing_ok=True)
            os.link(self.file, link)
            link.replace(previous)
        replace(self.file, content)
        for name in _sizes(self.folder):
            if int(name.partition(".")[0]) < self._snapshot_generation:
                (self.folder / "journal" / name).unlink(missing_ok=True)
                self._journal_bytes.pop(name, None)
        self._identity = _identity(self.file)
        self._snapshot_generation = self.generation
        self._snapshot_cost = time.monotonic() - begun

    def _recover(self, damage: Damaged) -> None:
        """Set a damaged file aside and make the state again. Call with the lock held."""
        aside = self.file.with_name(f"tasks.toml.damaged-{datetime.now():%Y%m%dT%H%M%S%f}")
        if self.file.exists():
            self.file.rename(aside)
        entries, self._journal_bytes = _journals(self.folder)
        source = "the snapshot before it and the journal"
        try:
            raw, generation = _snapshot(self.file.with_name("tasks.toml.prev"), fresh=False)
        except Damaged:
            source = "branches, notes and the journal"
            raw, generation = {task.id: msgspec.to_builtins(task) for task in self.rebuild()}, 0
            whole = {*raw, *(entry["task"] for entry in entries if _creates(entry))}
            entries = [entry for entry in entries if entry["task"] in whole]
        self.tasks, self.generation = _folded(raw, generation, entries)
        self._write_snapshot()
        self.notices.append(f"tasks.toml was damaged ({damage}): set aside as {aside.name}, made again from {source}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock, if this thread does not hold it already. Call with `_threads`."""
        if self._is_held:
            yield
            return
        with locks.turn(self.folder / "tasks.lock"):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False


def _moved(name: TaskId, now: Task | None) -> TaskMoved:
    return TaskMoved("task-moved", f"{name} was changed by another command; it is {now.state if now else 'gone'}")


def render(tasks: Iterable[Task], generation: int) -> bytes:
    """Return the readable task file: one `[[task]]` table each, in the order of their numbers, and the end mark."""
    import tomli_w

    ordered = sorted(tasks, key=lambda task: task.number)
    tables = [msgspec.to_builtins(task, builtin_types=(datetime,)) for task in ordered]
    # multi-line strings are easier on the eye, but TOML readers turn "\r\n" into "\n" in them
    multiline = rb"\r" not in msgspec.json.encode(tables)
    long = _set_aside(tables)
    document: dict[str, Any] = {"task": tables} if tables else {}
    document["end"] = {"tasks": len(tables), "generation": generation}
    text = tomli_w.dumps(document, multiline_strings=multiline)
    for place, content in long.items():
        text = text.replace(f'"{place}"', content, 1)
    return (_HEADER + text).encode()


_LONG = 16_384


def _set_aside(tables: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Put a place holder for each long prompt, and return what belongs there, as TOML.

    tomli-w takes quadratic time for a long text. A JSON string is a TOML one, but for one character that JSON need
    not escape.
    """
    places: dict[str, str] = {}
    for table in tables:
        if len(table["prompt"]) > _LONG:
            place = uuid.uuid4().hex
            places[place] = json.dumps(table["prompt"], ensure_ascii=False).replace("\x7f", "\\u007f")
            table["prompt"] = place
    return places


def replace(path: Path, content: bytes) -> None:
    """Replace a file whole, durably: write beside it, fsync, rename, fsync the folder."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_back(content: bytes, generation: int) -> None:
    found = _parsed(content)
    if found["end"]["generation"] != generation:
        raise AssertionError("the task file does not read back as it was written")


def _snapshot(path: Path, *, fresh: bool) -> tuple[Raw, int]:
    """Read a snapshot; a missing one is an empty one when nothing else says that there were tasks."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if fresh and not path.with_name("tasks.toml.prev").exists():
            return {}, 0
        raise Damaged("it is missing") from None
    document = _parsed(content)
    try:
        return {table["id"]: table for table in document.get("task", [])}, document["end"]["generation"]
    except (KeyError, TypeError) as error:
        raise InvalidInput("tasks-file", "tasks.toml: a [[task]] has no id", fix=_REPAIR) from error


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


def _journals(folder: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Read all journal entries in order, and how many bytes of each file are whole lines."""
    entries: list[dict[str, Any]] = []
    whole: dict[str, int] = {}
    for name in _sizes(folder):
        try:
            content = (folder / "journal" / name).read_bytes()
        except FileNotFoundError:
            continue  # a writer has just made a snapshot of it
        content = content[: content.rfind(b"\n") + 1]
        whole[name] = len(content)
        entries += map(msgspec.json.decode, content.splitlines())
    return entries, whole


def _sizes(folder: Path) -> dict[str, int]:
    try:
        return {entry.name: entry.stat().st_size for entry in sorted(os.scandir(folder / "journal"), key=_name)}
    except FileNotFoundError:
        return {}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced or edited."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _folded(raw: Raw, generation: int, entries: Iterable[Mapping[str, Any]]) -> tuple[Tasks, int]:
    """Lay the journal's entries over a snapshot's tables, and read the result as tasks."""
    tables: dict[str, Any] = dict(raw)
    for entry in entries:
        if entry["g"] > generation:
            generation = entry["g"]
            if entry.get("drop"):
                tables.pop(entry["task"], None)
            else:
                tables[entry["task"]] = {**tables.get(entry["task"], {}), **entry["set"]}
    try:
        tasks = msgspec.convert(list(tables.values()), list[Task])
    except msgspec.ValidationError as error:
        raise InvalidInput("tasks-file", f"tasks.toml: {error}", fix=_REPAIR) from error
    return {task.id: task for task in tasks}, generation


def _creates(entry: Mapping[str, Any]) -> bool:
    """Tell whether a journal entry holds all that a task must have, so that it stands for one by itself."""
    return "prompt" in entry.get("set", {}) and "number" in entry.get("set", {})


def _fold(tasks: Tasks, entry: Mapping[str, Any]) -> None:
    name = TaskId(entry["task"])
    if entry.get("drop"):
        tasks.pop(name, None)
        return
    before = msgspec.to_builtins(tasks[name]) if name in tasks else {}
    tasks[name] = msgspec.convert({**before, **entry["set"]}, Task)
