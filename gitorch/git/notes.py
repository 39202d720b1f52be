"""JSON lines on commits, under `refs/notes/gitorch`: appended and read in bulk.

Notes are written through `git fast-import` and moved by compare-and-swap, because parallel `git notes add` loses
notes without saying so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import RefsMoved, Repository
from gitorch.model.naming import NOTES, Oid
from gitorch.model.refs import RefUpdate
from gitorch.storage import locks

Line = Mapping[str, Any]
_TRIES = 20
_DEPTHS = 4
_SCRATCH = SCRATCH.encode()


def read(repository: Repository, commit: Oid) -> list[dict[str, Any]]:
    """Return the lines on one commit, oldest first."""
    answer = repository.git("notes", f"--ref={NOTES}", "show", commit, ok=(0, 1))
    return _lines(answer.stdout) if answer.code == 0 else []


def read_many(repository: Repository, commits: Sequence[Oid]) -> dict[Oid, list[dict[str, Any]]]:
    """Return the lines on these commits, oldest first, in one process."""
    if not commits:
        return {}
    return {commit: _lines(content) for commit, content in existing(repository, commits)[1].items()}


def read_all(repository: Repository) -> dict[Oid, list[dict[str, Any]]]:
    """Return all notes, by commit."""
    listing = repository.git("notes", f"--ref={NOTES}", "list", ok=(0, 1)).text
    pairs = [line.split() for line in listing.split("\n") if line]
    if not pairs:
        return {}
    blobs = repository.read_objects(blob for blob, _ in pairs)
    return {Oid(commit): _lines(blob.content or b"") for (_, commit), blob in zip(pairs, blobs, strict=True)}


def build(repository: Repository, additions: Mapping[Oid, Sequence[Line]], once: Sequence[str] = ()) -> list[RefUpdate]:
    """Make a notes commit with these lines appended, and return the move that publishes it.

    Nothing is visible until the move is made: together with other refs, if the caller wants. With `once`, a commit
    gets no lines when it has one already that equals the first of them in these fields. Call within `lock`.
    """
    tip, before = existing(repository, list(additions))
    fresh = {commit: lines for commit, lines in additions.items() if not _is_told(before[commit], lines[0], once)}
    contents = {commit: before[commit] + b"".join(map(_encoded, lines)) for commit, lines in fresh.items()}
    return [rewritten(repository, tip, contents)] if contents else []


def rewritten(repository: Repository, tip: Oid | None, contents: Mapping[Oid, bytes]) -> RefUpdate:
    """Make a notes commit on top of `tip` with these notes; empty content removes one. Nothing is visible yet."""
    # the scratch ref takes the commit up within this one process, and is never written
    stream = [b"feature done\ncommit %s\nmark :1\n" % _SCRATCH]
    stream.append(b"committer %s\n%s" % (repository.committer().encode(), _chunk(b"gitorch notes\n")))
    stream.append(b"from %s\n" % tip.encode() if tip else b"")
    nothing = b"0" * len(next(iter(contents)))
    for commit, content in contents.items():
        stream.append(b"N %s %s\n" % (b"inline" if content else nothing, commit.encode()))
        stream.append(_chunk(content) if content else b"")
    stream.append(b"get-mark :1\nreset %s\nfrom %s\n\ndone\n" % (_SCRATCH, nothing))
    answer = repository.git("fast-import", "--quiet", "--done", "--date-format=raw", input=b"".join(stream))
    return RefUpdate(NOTES, Oid(answer.text.split("\n")[-1]), tip)


def append(
    repository: Repository, additions: Mapping[Oid, Sequence[Line]], reason: str, *, once: Sequence[str] = ()
) -> None:
    """Append lines to the notes of commits, all or none, beside whoever else writes notes now. `once` as in `build`."""
    for remaining in reversed(range(_TRIES)):
        try:
            with lock(repository):
                return repository.update_refs(build(repository, additions, once), reason)
        except RefsMoved:
            if not remaining:
                raise
    return None


class Notebook:
    """Takes notes for many threads: those that come while one write goes on are written together by the next.

    `once` as in `build`.
    """

    def __init__(self, repository: Repository, once: Sequence[str]) -> None:
        self.repository = repository
        self.once = once
        self._waiting: list[_Entry] = []
        self._turn = threading.Lock()

    def append(self, commit: Oid, lines: Sequence[Line]) -> None:
        """Append lines to the notes of a commit; return when they are there."""
        entry = _Entry(commit, lines)
        self._waiting.append(entry)
        with self._turn:
            try:
                while not entry.written:
                    self._write()
            finally:
                if not entry.written:
                    self._waiting.remove(entry)

    def _write(self) -> None:
        # of several for one commit, the first
        batch = {entry.commit: entry for entry in reversed(self._waiting[:])}
        lines = {commit: entry.lines for commit, entry in batch.items()}
        append(self.repository, lines, f"note {len(batch)} attempts", once=self.once)
        for entry in batch.values():
            entry.written = True
            self._waiting.remove(entry)


class _Entry:
    def __init__(self, commit: Oid, lines: Sequence[Line]) -> None:
        self.commit = commit
        self.lines = lines
        self.written = False


@contextmanager
def lock(repository: Repository) -> Iterator[None]:
    """Keep other writers of ours out while one builds on the tip that it read; free as soon as its holder ends."""
    path = repository.common_dir / "gitorch" / "notes.lock"
    with locks.hold(path) as file, repository.inherit_lock(file, all_threads=False):
        yield


def existing(repository: Repository, commits: Sequence[Oid]) -> tuple[Oid | None, dict[Oid, bytes]]:
    """Return the notes' tip, and what is noted on each of these commits, in one process."""
    # git spreads notes over folders of two digits once there are many
    names = [f"{NOTES}:{_place(commit, depth)}" for commit in commits for depth in range(_DEPTHS)]
    tip, *blobs = repository.read_objects([NOTES, *names])
    contents = {
        commit: next((blob.content for blob in blobs[start : start + _DEPTHS] if blob.content is not None), b"")
        for commit, start in zip(commits, range(0, len(blobs), _DEPTHS), strict=True)
    }
    return (Oid(tip.name) if tip.content is not None else None), contents


def _place(commit: Oid, depth: int) -> str:
    folders = [commit[2 * at : 2 * at + 2] for at in range(depth)]
    return "/".join([*folders, commit[2 * depth :]])


def _is_told(before: bytes, line: Line, once: Sequence[str]) -> bool:
    if not once:
        return False
    return any(all(told.get(name) == line[name] for name in once) for told in _lines(before))


def _encoded(line: Line) -> bytes:
    # ASCII only: `git notes show` prints to a terminal, and agents' words may hold control characters
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _chunk(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _lines(content: bytes) -> list[dict[str, Any]]:
    return [parsed for line in content.splitlines() if (parsed := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Read one line; people may write what they like in notes, and that is not ours to judge."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("kind"), str) else None
