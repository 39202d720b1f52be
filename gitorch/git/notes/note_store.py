"""JSON lines on commits, under `refs/notes/gitorch`: appended and read in bulk.

Notes are moved by compare-and-swap, because parallel `git notes add` loses notes without an error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from gitorch.git.notes.fanout import NotesTree
from gitorch.git.repository import RefsMoved, Repository
from gitorch.model.naming import NOTES, Oid, Ref
from gitorch.model.note import Line, parse_lines
from gitorch.model.refs import RefUpdate
from gitorch.storage import locks

_TRIES = 20
_MESSAGE = "gitorch notes"


def read(repository: Repository, commit: Oid) -> list[Line]:
    """Return the lines on one commit, oldest first."""
    answer = repository.git("notes", f"--ref={NOTES}", "show", commit, ok=(0, 1))
    return [*parse_lines(answer.stdout)] if answer.code == 0 else []


def read_many(repository: Repository, commits: Sequence[Oid]) -> dict[Oid, list[Line]]:
    """Return the lines on these commits, oldest first, in one process."""
    if not commits:
        return {}
    return {commit: [*parse_lines(content)] for commit, content in read_contents(repository, commits)[1].items()}


def read_all(repository: Repository) -> dict[Oid, list[Line]]:
    """Return all notes, by commit."""
    listing = repository.git("notes", f"--ref={NOTES}", "list", ok=(0, 1)).text
    pairs = [line.split() for line in listing.split("\n") if line]
    blobs = repository.read_objects(blob for blob, _ in pairs)
    return {Oid(commit): [*parse_lines(blob.content or b"")] for (_, commit), blob in zip(pairs, blobs, strict=True)}


def build(repository: Repository, additions: Mapping[Oid, Sequence[Line]], *, once: bool = False) -> list[RefUpdate]:
    """Make a notes commit with these lines appended, and return the update that publishes it.

    Nothing is visible until the update is made, together with other refs if the caller wants. With `once`, a commit
    that already has a line with the key of the first one gets none of them. Call with `lock` held.
    """
    (tip,) = repository.object_ids(NOTES)
    tree = NotesTree(repository, tip)
    before = tree.contents(list(additions))
    contents = {
        commit: before[commit] + b"".join(line.text + b"\n" for line in lines)
        for commit, lines in additions.items()
        if not (once and _has_key(before[commit], lines[0]))
    }
    return [RefUpdate(NOTES, tree.write(contents, _MESSAGE), tip)] if contents else []


def build_rewritten(
    repository: Repository, tip: Oid | None, contents: Mapping[Oid, bytes], ref: Ref = NOTES
) -> RefUpdate:
    """Make a notes commit on top of `tip` with these notes; empty content removes one. Nothing is visible yet."""
    return RefUpdate(ref, NotesTree(repository, tip).write(contents, _MESSAGE), tip)


def append(repository: Repository, additions: Mapping[Oid, Sequence[Line]], reason: str, *, once: bool = False) -> None:
    """Append lines to the notes of commits, all or none, while others may write notes. `once` as in `build`."""
    for remaining in reversed(range(_TRIES)):
        try:
            with lock(repository):
                return repository.update_refs(build(repository, additions, once=once), reason)
        except RefsMoved:
            if not remaining:
                raise
    return None


class NoteWriter:
    """Appends notes for many threads: those that arrive during one write go together into the next.

    An event that is noted already is not noted again (`once` in `build`).
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._pending: list[_Entry] = []
        self._lock = threading.Lock()

    def append(self, commit: Oid, lines: Sequence[Line]) -> None:
        """Append lines to the notes of a commit; return once they are written."""
        entry = _Entry(commit, lines)
        self._pending.append(entry)
        with self._lock:
            try:
                while not entry.is_written:
                    self._write()
            finally:
                if not entry.is_written:
                    self._pending.remove(entry)

    def _write(self) -> None:
        # if there are several for one commit, the first
        batch = {entry.commit: entry for entry in reversed(self._pending[:])}
        lines = {commit: entry.lines for commit, entry in batch.items()}
        append(self.repository, lines, f"note {len(batch)} attempts", once=True)
        for entry in batch.values():
            entry.is_written = True
            self._pending.remove(entry)


class _Entry:
    def __init__(self, commit: Oid, lines: Sequence[Line]) -> None:
        self.commit = commit
        self.lines = lines
        self.is_written = False


@contextmanager
def lock(repository: Repository) -> Iterator[None]:
    """Keep other gitorch writers out while one builds on the tip that it read; released when its holder ends."""
    path = repository.common_dir / "gitorch" / "notes.lock"
    with locks.file_lock(path) as file, repository.inherit_lock(file, all_threads=False):
        yield


def read_contents(
    repository: Repository, commits: Sequence[Oid], ref: Ref = NOTES
) -> tuple[Oid | None, dict[Oid, bytes]]:
    """Return the notes' tip, and the note on each of these commits."""
    (tip,) = repository.object_ids(ref)
    return tip, NotesTree(repository, tip).contents(commits)


def _has_key(content: bytes, line: Line) -> bool:
    return line.key is not None and any(existing.key == line.key for existing in parse_lines(content))
