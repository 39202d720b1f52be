"""The journal: changes since a snapshot, one line per changed task, in `journal/<generation>.jsonl`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gitorch import typed
from gitorch.model.naming import TaskId
from gitorch.model.table import from_table, from_tables, to_table
from gitorch.storage import atomic
from gitorch.storage.tasks.snapshot import Raw, Tasks, unreadable

Entry = dict[str, Any]
"""`g` (generation), `task` (id), and `set` (the changed fields) or `drop`."""


class Journal:
    """The journals in a folder, each named after the generation of the snapshot that it starts at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: list[str] = []  # what could not be read, when last read
        self._complete_bytes: dict[str, int] = {}  # bytes of complete lines in each file, when last read

    def read(self) -> list[Entry]:
        """Return all entries in order."""
        entries: list[Entry] = []
        damage: list[str] = []
        complete_bytes: dict[str, int] = {}
        for name in self._sizes():
            try:
                content = (self.folder / name).read_bytes()
            except FileNotFoundError:
                continue  # a writer has just replaced it with a snapshot
            content = content[: content.rfind(b"\n") + 1]
            complete_bytes[name] = len(content)
            for number, line in enumerate(content.split(b"\n")[:-1], start=1):
                entry = _entry(line)
                if entry is None:
                    damage.append(f"line {number} of {self.folder.name}/{name} was damaged: the change in it is lost")
                else:
                    entries.append(entry)
        self._complete_bytes, self.damage = complete_bytes, damage
        return entries

    def has_changed(self) -> bool:
        """Return whether another process has written since the last read."""
        return self._complete_bytes != self._sizes()

    def path(self, snapshot: int) -> Path:
        """Return the journal of a snapshot's generation."""
        return self.folder / f"{snapshot:012}.jsonl"

    def append(self, snapshot: int, entries: Sequence[Entry]) -> None:
        """Add entries to the journal of a snapshot's generation, durably: all or none."""
        self.folder.mkdir(exist_ok=True)
        path = self.path(snapshot)
        is_new = not path.exists()
        with path.open("ab") as file:
            file.truncate(self._complete_bytes.get(path.name, 0))  # an incomplete line that a crash left
            file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            atomic.sync(self.folder)
        self._complete_bytes[path.name] = path.stat().st_size
        # after the entries, and not durable: it never counts one that is not on the disk
        self.set_mark(entries[-1]["g"])

    @property
    def _mark_file(self) -> Path:
        return self.folder.with_name("generation")

    def set_mark(self, generation: int) -> None:
        """Note the generation of the last acknowledged change."""
        with suppress(OSError):  # the change itself is on the disk, which may be full now
            self._mark_file.write_text(f"{generation}\n", "ascii")

    def mark(self) -> int:
        """Return the generation of the last acknowledged change, as far as known. Read it before the entries."""
        try:
            return int(self._mark_file.read_bytes()[:32])
        except (OSError, ValueError):
            return 0

    def drop_before(self, snapshot: int) -> None:
        """Remove the journals of generations before this one."""
        for name in self._sizes():
            if int(name.partition(".")[0]) < snapshot:
                (self.folder / name).unlink(missing_ok=True)
                self._complete_bytes.pop(name, None)

    def _sizes(self) -> dict[str, int]:
        try:
            return {entry.name: entry.stat().st_size for entry in sorted(os.scandir(self.folder), key=_name)}
        except FileNotFoundError:
            return {}


def _entry(line: bytes) -> Entry | None:
    """Return the entry in a line; None if it is damaged."""
    try:
        entry = typed.from_json(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not (isinstance(entry, dict) and isinstance(entry.get("g"), int) and isinstance(entry.get("task"), str)):
        return None
    return entry if entry.get("drop") is True or isinstance(entry.get("set"), dict) else None


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def folded(raw: Raw, generation: int, entries: Iterable[Entry]) -> tuple[Tasks, int]:
    """Apply entries to a snapshot's tables, and return the resulting tasks with their generation."""
    tables: dict[str, Any] = dict(raw)
    for entry in entries:
        if entry["g"] > generation:
            generation = entry["g"]
            if entry.get("drop"):
                tables.pop(entry["task"], None)
            else:
                tables[entry["task"]] = {**tables.get(entry["task"], {}), **entry["set"]}
    try:
        tasks = from_tables(list(tables.values()))
    except msgspec.ValidationError as error:
        raise unreadable(str(error)) from error
    return {task.id: task for task in tasks}, generation


def fold(tasks: Tasks, entry: Mapping[str, Any]) -> None:
    """Apply one entry to tasks, in place."""
    name = TaskId(entry["task"])
    if entry.get("drop"):
        tasks.pop(name, None)
        return
    before = to_table(tasks[name]) if name in tasks else {}
    tasks[name] = from_table({**before, **entry["set"]})


def creates(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry has all required fields of a task, so that it needs no snapshot."""
    return "prompt" in entry.get("set", {}) and "number" in entry.get("set", {})
