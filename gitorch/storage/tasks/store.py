"""The tasks of one repository: read without waiting, changed by one writer at a time, rebuilt if damaged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gitorch.errors import Refused
from gitorch.model.naming import TaskId
from gitorch.model.table import field_values, from_table, to_table
from gitorch.model.task import Task
from gitorch.storage import atomic, locks, losses, own_changes
from gitorch.storage.foreign_changes import ForeignChange
from gitorch.storage.tasks import run_guard, snapshot
from gitorch.storage.tasks.journal import Entry, Journal, JournalContent, complete, fold, folded
from gitorch.storage.tasks.parsed import ParsedTasks, copy_path
from gitorch.storage.tasks.run_guard import OnForeign, Trusted
from gitorch.storage.tasks.snapshot import Damaged, Foreign, Tasks, previous
from gitorch.storage.tasks.upgrade import FIELDS, upgraded

Pair = tuple[Task | None, Task | None]
"""A change of one task: old value (None: new task) and new value (None: dropped)."""

SNAPSHOT_SECONDS = 5.0
_PAUSE_SECONDS, _PATIENCE = 0.05, 100
"""How long, and how often, a command waits for an active run to restore its tasks."""

SNAPSHOT_SHARE = 50.0  # at most 1/50 of the time is spent on snapshots


class TaskMoved(Refused):
    """Another command changed the task's state in the meantime."""


class Store:
    """The tasks of one repository, in a folder that all its worktrees share.

    `rebuild` is called if nothing in the folder can be read; it returns the tasks known from branches and notes.
    Warnings for the user are appended to `notices`, what was done besides the command to `news`, and what others
    changed while its checks ran to `moved`. What is lost is also kept, for every later command.
    """

    def __init__(self, folder: Path, rebuild: Callable[[], Iterable[Task]] = tuple) -> None:
        self.folder = folder
        self.rebuild = rebuild
        self.notices: list[str] = []
        self.news: list[str] = []
        self.moved: list[ForeignChange] = []
        self._said: set[str] = set()
        # attempts read other tasks in their own threads
        self._threads = threading.RLock()
        self._is_held = False
        self.tasks: Tasks = {}
        self.generation = 0
        self._snapshot = snapshot.EMPTY
        self._changed: set[TaskId] = set()  # since the snapshot
        self._upgraded: set[TaskId] = set()
        self._snapshot_cost = 0.0
        self._journal = Journal(folder / "journal")
        self._identity: tuple[int, int, int] | None = None
        self._on_foreign: OnForeign | None = None

    @property
    def file(self) -> Path:
        return self.folder / "tasks.toml"

    def load(self) -> Tasks:
        """Read the current tasks, without waiting for writers."""
        with self._threads:
            try:
                self._read()
            except Damaged:
                self._wait_for_run()
                with self._locked():
                    self._read_or_recover()
            return self.tasks

    def watch(self, on_foreign: OnForeign) -> None:
        """Believe only what gitorch writes from now on, for the run that holds the lock; it restores the rest."""
        with self._threads, self._locked():
            self._catch_up()
            files = (atomic.read_or_empty(path) for path in (self.file, previous(self.file), copy_path(self.file)))
            run_guard.start(self.folder, [*filter(None, files), *self._journal.read().lines()])
            self._on_foreign = on_foreign

    def _wait_for_run(self) -> None:
        """Let an active run, which knows its tasks, restore what another program changed; for a few seconds."""
        for _ in range(_PATIENCE if self._on_foreign is None else 0):
            try:
                with self._locked():  # what is written at this moment is whole afterwards
                    self._read()
            except Foreign:
                time.sleep(_PAUSE_SECONDS)
                continue
            except Damaged:
                pass
            return

    def current(self) -> Tasks:
        """Return the current tasks; read again only if another process has written."""
        with self._threads:
            if self._has_changed():
                return self.load()
            return self.tasks

    def _has_changed(self) -> bool:
        return self._journal.has_changed() or self._identity != snapshot.identity(self.file)

    def _read(self) -> None:
        # journals first: a snapshot that replaces them meanwhile contains at least as much
        acknowledged, stated = self._journal.mark(), snapshot.stated_generation(self.file)
        journal, trusted = self._journal.read(after=stated), run_guard.trusted(self.folder)
        self._identity = snapshot.identity(self.file)
        content = snapshot.read(self.file, is_first=not (journal or stated), trusted=trusted)
        if content.generation < stated:  # another command has rebuilt it
            journal = self._journal.read()
        entries, damage = journal.entries(content.generation)
        if trusted is not None:
            _require_trusted(trusted, journal, max(acknowledged, self.generation), content, entries)
        self._snapshot = content
        self._fold(complete(content.tasks, entries))
        self.report_losses(*damage)
        if acknowledged > self.generation:
            lost = acknowledged - self.generation
            self.report_losses(
                f"the journal in {self._journal.folder} is cut or missing: the last {lost} changes are lost; "
                "check the tasks in `orchestrate status` (branches and notes are not affected)"
            )

    def _fold(self, entries: Sequence[Entry]) -> None:
        """Apply the entries of the journal to the snapshot."""
        state = folded(self._snapshot.tasks, self._snapshot.generation, entries)
        new = {name: upgraded(task) for name, task in state.tasks.items() if task.reason}
        self._upgraded = {name for name, task in new.items() if task is not state.tasks[name]}
        self.tasks = state.tasks
        self.tasks.update((name, new[name]) for name in self._upgraded)
        self.generation, self._changed = state.generation, state.changed | self._upgraded

    def recall_losses(self) -> None:
        """Say what earlier commands found to be lost, until it is acknowledged."""
        self._say_once(losses.unacknowledged(self.folder))

    def report_losses(self, *messages: str) -> None:
        """Say what is lost, and keep it for later commands."""
        self._say_once(
            message for message in messages if message not in self._said and losses.record(self.folder, message)
        )

    def say(self, message: str) -> None:
        """Say something about the state once."""
        self._say_once([message])

    def _say_once(self, notices: Iterable[str]) -> None:
        new = [notice for notice in dict.fromkeys(notices) if notice not in self._said]
        self.notices += new
        self._said.update(new)

    def _catch_up(self) -> None:
        """Read again if another process has written. Call with the lock held."""
        if self._has_changed():
            self._read_or_recover()

    def _read_or_recover(self) -> None:
        """Read, and recover if damaged. Call with the lock held: another process may just have recovered."""
        try:
            self._read()
        except Foreign as damage:
            if self._on_foreign is None:
                self._recover(damage)
            else:
                self._on_foreign(self._restore(damage))
        except Damaged as damage:
            self._recover(damage)

    def save(self, changed: Iterable[Task], *, dropped: Iterable[TaskId] = ()) -> None:
        """Make changes durable, all or none.

        Records each task's difference from what this store last read. A new task gets the next number if another
        command has just used its number. Raises `TaskMoved` if another process has changed the state of one of the
        tasks, or has used its name.
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
    def lock(self) -> Iterator[None]:
        """Lock out all other writers, so that what is read stays true until it is saved. Readers never wait."""
        with self._threads, self._locked():
            yield

    def rebased(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Apply changes to the current tasks; return each task as it is and as it will be. Call with `lock` held.

        Keeps what other processes changed, except a task's state: then it raises `TaskMoved`, as `save` does.
        """
        self._catch_up()
        numbered = self._numbered(new for _, new in pairs if new is not None)
        return [
            (self._dropped(read), None) if new is None else self._rebased(read, next(numbered)) for read, new in pairs
        ]

    def _rebased(self, old: Task | None, new: Task) -> Pair:
        entry = self._difference(old, new)
        now = self.tasks.get(new.id)
        if entry is None:
            return now, now
        return now, from_table({**(to_table(now) if now else {}), **entry["set"]})

    def _dropped(self, old: Task | None) -> Task:
        assert old is not None
        now = self.tasks.get(old.id)
        if now is None or now.state is not old.state:
            raise task_moved(old.id, now)
        return now

    def _numbered(self, changed: Iterable[Task]) -> Iterator[Task]:
        owners = {task.number: task.id for task in self.tasks.values()}
        for task in changed:
            number = task.number
            if task.id not in self.tasks and owners.get(number, task.id) != task.id:
                number = max(owners) + 1
            owners[number] = task.id
            yield task if number == task.number else msgspec.structs.replace(task, number=number)

    def _difference(self, old: Task | None, task: Task) -> dict[str, Any] | None:
        now = self.tasks.get(task.id)
        if (old is None) != (now is None) or (old and now and task.state != old.state != now.state):
            raise task_moved(task.id, now)
        before = field_values(old) if old else {}
        if task.id in self._upgraded:  # the files still say something else
            before = {name: value for name, value in before.items() if name not in FIELDS}
        fields = {name: value for name, value in field_values(task).items() if value != before.get(name, ...)}
        return {"task": task.id, "set": msgspec.to_builtins(fields)} if fields else None

    def _append(self, entries: list[dict[str, Any]]) -> None:
        numbered = [{"g": self.generation + 1 + index, **entry} for index, entry in enumerate(entries)]
        with own_changes.writing(self.folder, self._journal.path(self._snapshot.generation)):
            self._journal.append(self._snapshot.generation, numbered)
        for entry in numbered:
            fold(self.tasks, entry)
            self._changed.add(TaskId(entry["task"]))
        self.generation = numbered[-1]["g"]

    def snapshot_if_due(self) -> None:
        """Rewrite the readable file if it is due: the rate and the share of time are bounded."""
        since = time.time() - (self._identity[1] / 1e9 if self._identity else 0.0)
        if not 0 <= since < max(SNAPSHOT_SECONDS, SNAPSHOT_SHARE * self._snapshot_cost):
            self.snapshot()

    def snapshot(self) -> None:
        """Rewrite the readable file if anything changed."""
        with self._threads, self._locked():
            self._catch_up()
            if self.generation > self._snapshot.generation or not self.file.exists():
                self._write_snapshot()

    def _write_snapshot(self) -> None:
        start, before = time.monotonic(), self._snapshot
        with own_changes.writing(self.folder, self.file):
            content = snapshot.write(self.file, self.tasks.values(), self.generation, before, self._changed)
        self._journal.drop_before(before.generation)
        self._identity = snapshot.identity(self.file)
        self._snapshot, self._changed = content, set()
        self._snapshot_cost = time.monotonic() - start

    def _restore(self, damage: Foreign) -> str:
        """Replace what another program wrote by what this run knows; return what is said of it. Call with the lock."""
        trusted = run_guard.trusted(self.folder)
        journal = self._journal.read()
        entries, _ = (journal if trusted is None else journal.only(trusted)).entries()
        known = ParsedTasks(self.generation, list(self.tasks.values()), later=self._snapshot.later)
        with suppress(Damaged):  # another process may have written two snapshots since this one has read
            known = max(known, snapshot.read(previous(self.file), is_first=False, trusted=trusted), key=_generation)
        aside = self._set_aside("foreign")
        # a killed process leaves the previous snapshot and the journals
        self._journal.copy(f"journal.{aside.name.removeprefix('tasks.toml.')}")
        self._snapshot = known
        self._fold(complete(known.tasks, entries))
        self._write_snapshot()
        self._journal.clear()
        self._journal.set_mark(self.generation)
        return f"tasks.toml was changed by another program ({damage}): set aside as {aside.name}, and restored"

    def _set_aside(self, suffix: str) -> Path:
        """Rename the task file, if there is one; return its new path."""
        aside = self.file.with_name(f"tasks.toml.{suffix}-{datetime.now():%Y%m%dT%H%M%S%f}")
        if os.path.lexists(self.file):
            self.file.rename(aside)
        return aside

    def _recover(self, damage: Damaged) -> None:
        """Set a damaged file aside and rebuild the state. Call with the lock held."""
        is_aside = os.path.lexists(self.file)
        aside, trusted, journal = self._set_aside("damaged"), run_guard.trusted(self.folder), self._journal.read()
        entries, journal_damage = (journal if trusted is None else journal.only(trusted)).entries()
        source, is_whole = "the previous snapshot and the journal", True
        try:
            self._snapshot = snapshot.read(previous(self.file), is_first=False, trusted=trusted)
        except Damaged:
            # a command was killed before the first snapshot: the journal has everything
            is_whole = not is_aside and bool(entries) and entries[0]["g"] == 1
            source = "the journal" if is_whole else "branches, notes and the journal"
            self._snapshot = ParsedTasks(0, [] if is_whole else list(self.rebuild()))
            entries = complete(self._snapshot.tasks, entries)
        self._fold(entries)
        self._write_snapshot()
        self._journal.set_mark(self.generation)
        self.report_losses(*journal_damage)
        was = f"damaged ({damage}): set aside as {aside.name}" if is_aside else "missing"
        message = f"tasks.toml was {was}, rebuilt from {source}"
        if is_whole:
            self.say(message)
        else:
            self.report_losses(f"{message}: tasks without a branch, settings of tasks and reviews may be lost")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock, unless this thread holds it already. Call with `_threads` held."""
        if self._is_held:
            yield
            return
        with locks.file_lock(self.folder / "tasks.lock"):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False


def task_moved(name: TaskId, current: Task | None) -> TaskMoved:
    """Return the error for a task that is in another state than expected, or gone."""
    what = f"{name} was changed by another command; it is {current.state if current else 'gone'}"
    return TaskMoved("task-moved", what, fix=("run the command again",))


def _require_trusted(
    trusted: Trusted, journal: JournalContent, generation: int, content: ParsedTasks, entries: Sequence[Entry]
) -> None:
    """Raise `Foreign` if a line is of another program, or if changes up to a generation are missing."""
    if not all(map(trusted.has, journal.lines())):
        raise Foreign("its journal has lines that gitorch did not write")
    if generation > max((content.generation, *(entry["g"] for entry in entries))):
        raise Foreign("lines of its journal are missing")


def _generation(content: ParsedTasks) -> int:
    return content.generation
