"""The journal: changes since a snapshot, one line per changed task, in `journal/<generation>.jsonl`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gitorch import regular_files, typed
from gitorch.model.naming import TaskId
from gitorch.model.table import from_table, from_tables, to_table
from gitorch.model.task import Task
from gitorch.storage import atomic
from gitorch.storage.tasks import run_guard
from gitorch.storage.tasks.run_guard import Trusted
from gitorch.storage.tasks.snapshot import Tasks, unreadable
from gitorch.storage.tasks.upgrade import with_names_of_today

_NAME = re.compile(r"[0-9]+\.jsonl")

Entry = dict[str, Any]
"""`g` (generation), `task` (id), and `set` (the changed fields) or `drop`."""


class JournalContent(msgspec.Struct, frozen=True):
    """The complete lines of journals, by the names of their files, which messages say after `place`."""

    place: str
    files: dict[str, bytes]

    def __bool__(self) -> bool:
        return any(self.files.values())

    def lines(self) -> Iterator[bytes]:
        """Yield all lines, with their ends."""
        for content in self.files.values():
            yield from content.splitlines(keepends=True)

    def only(self, trusted: Trusted) -> JournalContent:
        """Return the content without lines that are not trusted."""
        return JournalContent(self.place, trusted.lines(self.files))

    def entries(self, after: int = 0) -> tuple[list[Entry], list[str]]:
        """Return the entries in order, and what is damaged.

        Those of journals that ended with the snapshot of generation `after` are not parsed: it contains them.
        """
        entries: list[Entry] = []
        damage: list[str] = []
        for name, content in self.files.items():
            if _generation(name) < after:
                continue
            for number, line in enumerate(content.split(b"\n")[:-1], start=1):
                entry = _entry(line)
                if entry is None:
                    damage.append(f"line {number} of {self.place}{name} was damaged: the change in it is lost")
                else:
                    entries.append(entry)
        return entries, damage


class Journal:
    """The journals in a folder, each named after the generation of the snapshot that it starts at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._complete_bytes: dict[str, int] = {}  # bytes of complete lines in each file, when last read

    def read(self, after: int = 0) -> JournalContent:
        """Return the content of all journals, in order, but for those that ended with the snapshot `after`."""
        sizes = self._sizes()
        self._complete_bytes = {name: size for name, size in sizes.items() if _generation(name) < after}
        contents: dict[str, bytes] = {}
        for name in [name for name in sizes if name not in self._complete_bytes]:
            try:
                content = regular_files.read(self.folder / name)
            except FileNotFoundError:
                continue  # a writer has just replaced it with a snapshot
            contents[name] = content[: content.rfind(b"\n") + 1]
            self._complete_bytes[name] = len(contents[name])
        return JournalContent(f"{self.folder.name}/", contents)

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
        lines = [msgspec.json.encode(entry) + b"\n" for entry in entries]
        run_guard.trust(self.folder.parent, *lines)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(regular_files.open_at_once(path, flags), "ab") as file:
            file.truncate(self._complete_bytes.get(path.name, 0))  # an incomplete line that a crash left
            file.write(b"".join(lines))
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

    def copy(self, name: str) -> None:
        """Copy all journals into a folder of this name next to theirs."""
        target = self.folder.with_name(name)
        for file in self._sizes():
            target.mkdir(exist_ok=True)
            atomic.replace(target / file, regular_files.read(self.folder / file), durable=False)

    def clear(self) -> None:
        """Remove all journals: a snapshot has all that they say."""
        for file in self._sizes():
            (self.folder / file).unlink(missing_ok=True)
        self._complete_bytes = {}

    def set_mark(self, generation: int) -> None:
        """Note the generation of the last acknowledged change."""
        with suppress(OSError):  # the change itself is on the disk, which may be full now
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(regular_files.open_at_once(self._mark_file, flags), "wb") as file:
                file.write(b"%d\n" % generation)

    def mark(self) -> int:
        """Return the generation of the last acknowledged change, as far as known. Read it before the entries."""
        try:
            return int(regular_files.read(self._mark_file)[:32])
        except (OSError, ValueError):
            return 0

    def drop_before(self, snapshot: int) -> None:
        """Remove the journals of generations before this one."""
        for name in self._sizes():
            if _generation(name) < snapshot:
                (self.folder / name).unlink(missing_ok=True)
                self._complete_bytes.pop(name, None)

    def _sizes(self) -> dict[str, int]:
        try:
            with os.scandir(self.folder) as entries:
                journals = sorted((entry for entry in entries if _is_journal(entry)), key=_name)
            return {entry.name: entry.stat().st_size for entry in journals}
        except (FileNotFoundError, NotADirectoryError):
            return {}


class Folded(msgspec.Struct, frozen=True):
    """Tasks after the entries of a journal: `changed` are the names of those that the entries change or drop."""

    tasks: Tasks
    generation: int
    changed: set[TaskId]


def _entry(line: bytes) -> Entry | None:
    """Return the entry in a line; None if it is damaged."""
    try:
        entry = typed.from_json(line)
    except msgspec.DecodeError:
        return None
    if not (isinstance(entry, dict) and isinstance(entry.get("g"), int) and isinstance(entry.get("task"), str)):
        return None
    return entry if entry.get("drop") is True or isinstance(entry.get("set"), dict) else None


def _is_journal(entry: os.DirEntry[str]) -> bool:
    return bool(_NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _generation(name: str) -> int:
    """Return the generation of the snapshot that a journal starts at."""
    return int(name.partition(".")[0])


def folded(tasks: Iterable[Task], generation: int, entries: Iterable[Entry]) -> Folded:
    """Apply entries to the tasks of a snapshot."""
    result = {task.id: task for task in tasks}
    tables: dict[str, dict[str, Any]] = {}
    changed: set[TaskId] = set()
    for entry in entries:
        if entry["g"] > generation:
            generation, name = entry["g"], TaskId(entry["task"])
            changed.add(name)
            if entry.get("drop"):
                result.pop(name, None)
                tables.pop(name, None)
                continue
            before = tables.get(name) or (to_table(result[name]) if name in result else {})
            tables[name] = {**before, **with_names_of_today(entry["set"], before)}
    try:
        result |= {task.id: task for task in from_tables(list(tables.values()))}
    except msgspec.ValidationError as error:
        raise unreadable(str(error)) from error
    return Folded(result, generation, changed)


def fold(tasks: Tasks, entry: Mapping[str, Any]) -> None:
    """Apply one entry to tasks, in place."""
    name = TaskId(entry["task"])
    if entry.get("drop"):
        tasks.pop(name, None)
        return
    before = to_table(tasks[name]) if name in tasks else {}
    tasks[name] = from_table({**before, **with_names_of_today(entry["set"], before)})


def complete(tasks: Iterable[Task], entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of tasks that a snapshot or another entry has all required fields of."""
    changed = {entry["task"] for entry in entries}
    if not changed:  # there may be tens of thousands of tasks
        return []
    names = {entry["task"] for entry in entries if _creates(entry)}
    names.update(task.id for task in tasks if task.id in changed)
    return [entry for entry in entries if entry["task"] in names]


def _creates(entry: Mapping[str, Any]) -> bool:
    return "prompt" in entry.get("set", {}) and "number" in entry.get("set", {})
