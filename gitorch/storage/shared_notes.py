"""Notes that the agents of a run and the user share: one file per run, one JSON object per line.

Lines are only appended, under a lock. The file is in the state folder, outside of every worktree, so no branch has it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

import msgspec
from msgspec import field

from gitorch import regular_files, typed
from gitorch.errors import InvalidInput, NotFound, Refused
from gitorch.model.clock import now
from gitorch.model.credentials.redaction import redacted
from gitorch.model.visible import visible
from gitorch.storage import locks, sizes
from gitorch.storage.atomic import replace

LONGEST = 4_000
"""Characters of one note."""

MOST_OF_ONE = 100
MOST = 1_000
MOST_BYTES = 1 << 20


class SharedNote(msgspec.Struct, frozen=True, kw_only=True):
    """One note. `task` is the task whose agent wrote it, empty for a person, whose name is `author`."""

    number: int
    run: int
    text: str
    task: str = ""
    author: str = field(default="", name="who")
    time: str = field(default="", name="when")


class SharedNotes:
    """The notes of a repository's runs.

    Notes that are added after a run ends belong to the next run. An interrupted run keeps its notes when it continues.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def run(self) -> int:
        """The number of the current or next run."""
        try:
            return int(regular_files.read(self.folder / "run"))
        except FileNotFoundError:
            return 1
        except ValueError as error:
            last = max(self.runs(), default=1)
            raise InvalidInput(
                "context-damaged",
                f"{self.folder / 'run'} does not hold a number",
                why=str(error),
                fix=(f"echo {last} > {self.folder / 'run'}",),
            ) from error

    def runs(self) -> list[int]:
        """Return the runs that have notes, oldest first."""
        stems = (path.stem.removeprefix("run-") for path in self.folder.glob("run-*.jsonl"))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def read(self, run: int) -> list[SharedNote]:
        """Return the notes of a run, oldest first. Invalid and incomplete lines are skipped."""
        try:
            with _open_regular(self._file(run), os.O_RDONLY) as file:
                lines = file.read(MOST_BYTES).split(b"\n")
        except FileNotFoundError:
            return []
        return [note for number, line in enumerate(lines, start=1) if (note := _note(line, number, run))]

    def find(self, run: int, number: int) -> SharedNote:
        """Return one note, or raise `NotFound`."""
        for note in self.read(run):
            if note.number == number:
                return note
        raise NotFound("no-such-note", f"run {run} has no note {number}", fix=("orchestrate context list",))

    def add(self, text: str, *, task: str = "", author: str = "") -> SharedNote:
        """Append a note; it is durable when this returns. Credentials and hidden characters are removed.

        Raises `InvalidInput` for an empty or too long note, `Refused` if the run or the task has too many.
        """
        text = _accepted(text)
        with locks.file_lock(self.folder / "lock"):
            run = self.run
            with _open_regular(self._file(run), os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
                before = file.read(MOST_BYTES + 1)
                self._refuse_if_full(run, before, task)
                # end the incomplete line of a killed writer first: only that line is lost
                lead = b"\n" if before and not before.endswith(b"\n") else b""
                number = (before + lead).count(b"\n") + 1
                note = SharedNote(number=number, run=run, text=text, task=task, author=author, time=now())
                file.write(lead + msgspec.json.encode(note) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            sizes.note(self.folder.parent, self._file(run), name=f"context {run}")
        return note

    def newest(self, most: int) -> bytes:
        """Return the lines of the current run's newest notes, as many as have at most so many bytes."""
        lines: list[bytes] = []
        for note in reversed(self.read(self.run)):
            line = msgspec.json.encode(note) + b"\n"
            most -= len(line)
            if most < 0:
                break
            lines.append(line)
        return b"".join(reversed(lines))

    def copy_in(self, run: int, lines: bytes) -> None:
        """Begin with the notes of another machine's run, in a folder that has none."""
        self.folder.mkdir(parents=True)
        replace(self.folder / "run", f"{run}\n".encode(), durable=False)
        replace(self._file(run), lines, durable=False)

    def close(self) -> None:
        """End the notes of this run: later notes belong to the next one."""
        if not self.folder.exists():
            return
        with locks.file_lock(self.folder / "lock"):
            run = self.run
            if self._file(run).exists():
                replace(self.folder / "run", f"{run + 1}\n".encode())

    def _file(self, run: int) -> Path:
        return self.folder / f"run-{run}.jsonl"

    def _refuse_if_full(self, run: int, before: bytes, task: str) -> None:
        from_task = sum(note.task == task for note in self.read(run)) if task else 0
        full = before.count(b"\n") >= MOST or len(before) + 2 * LONGEST > MOST_BYTES
        if full or from_task >= MOST_OF_ONE:
            whose = (
                f"{task} has written {MOST_OF_ONE} notes"
                if from_task >= MOST_OF_ONE
                else f"the notes of run {run} are full"
            )
            raise Refused("context-full", whose, why="notes are for what others must know")


def _accepted(text: str) -> str:
    text = visible(redacted(text)).strip()
    if not text:
        raise InvalidInput("empty-note", "the note is empty")
    if len(text) > LONGEST:
        raise InvalidInput(
            "note-too-long",
            f"the note has {len(text)} characters; at most {LONGEST} are kept",
            why="other agents read the whole note",
        )
    return text


def _note(line: bytes, number: int, run: int) -> SharedNote | None:
    try:
        note = typed.from_json(line, SharedNote) if line else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # an agent may write another number or run into its line
    return msgspec.structs.replace(note, number=number, run=run) if note else None


def _open_regular(path: Path, flags: int) -> IO[bytes]:
    """Open a regular file; an agent could have replaced it with a link or a pipe."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _not_ours(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_ours(path)
    stream = os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "a+b")
    stream.seek(0)
    return stream


def _not_ours(path: Path) -> Refused:
    return Refused("context-foreign", f"{path} is not a plain file", why="gitorch did not make it", fix=(f"rm {path}",))
