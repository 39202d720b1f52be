"""JSON lines on commits, under `refs/notes/gitorch`: appended and read in bulk.

Notes are written through `git fast-import` and moved by compare-and-swap, because parallel `git notes add` loses
notes without saying so.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitorch.git.repository import RefMove, RefsMoved, Repository
from gitorch.model.naming import NOTES, OWN_REFS, Oid, Ref

Line = Mapping[str, Any]
_TRIES = 20


def read(repository: Repository, commit: Oid) -> list[dict[str, Any]]:
    """Return the lines on one commit, oldest first."""
    answer = repository.git("notes", f"--ref={NOTES}", "show", commit, ok=(0, 1))
    return _lines(answer.stdout) if answer.code == 0 else []


def read_all(repository: Repository) -> dict[Oid, list[dict[str, Any]]]:
    """Return all notes, by commit."""
    listing = repository.git("notes", f"--ref={NOTES}", "list", ok=(0, 1)).text
    pairs = [line.split() for line in listing.split("\n") if line]
    if not pairs:
        return {}
    blobs = "".join(f"{blob}\n" for blob, _ in pairs).encode()
    stream = repository.git("cat-file", "--batch", input=blobs).stdout
    contents = _blobs(stream, len(pairs))
    return {Oid(commit): _lines(content) for (_, commit), content in zip(pairs, contents, strict=True)}


def build(repository: Repository, additions: Mapping[Oid, Sequence[Line]]) -> list[RefMove]:
    """Make a notes commit with these lines appended, and return the moves that publish it.

    Nothing is visible until the moves are made: together with other refs, if the caller wants.
    """
    tip = repository.refs(NOTES).get(NOTES)
    scratch = Ref(f"{OWN_REFS}building/{uuid.uuid4().hex}")
    stream = [b"feature done\ncommit %s\nmark :1\n" % scratch.encode()]
    stream.append(b"committer %s\n%s" % (repository.committer().encode(), _chunk(b"gitorch notes\n")))
    stream.append(b"from %s\n" % tip.encode() if tip else b"")
    for commit, lines in additions.items():
        old = repository.git("notes", f"--ref={NOTES}", "show", commit, ok=(0, 1)) if tip else None
        before = old.stdout if old and old.code == 0 else b""
        stream.append(b"N inline %s\n" % commit.encode() + _chunk(before + b"".join(map(_encoded, lines))))
    stream.append(b"get-mark :1\ndone\n")
    answer = repository.git("fast-import", "--quiet", "--done", "--date-format=raw", input=b"".join(stream))
    new = Oid(answer.text.split("\n")[-1])
    return [RefMove(NOTES, new, tip), RefMove(scratch, None, new)]


def append(repository: Repository, additions: Mapping[Oid, Sequence[Line]], reason: str) -> None:
    """Append lines to the notes of commits, all or none, beside whoever else writes notes now."""
    for remaining in reversed(range(_TRIES)):
        try:
            return repository.move(build(repository, additions), reason)
        except RefsMoved:
            if not remaining:
                raise
    return None


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


def _blobs(stream: bytes, count: int) -> Iterable[bytes]:
    at = 0
    for _ in range(count):
        end = stream.index(b"\n", at)
        length = int(stream[at:end].split()[2])
        yield stream[end + 1 : end + 1 + length]
        at = end + length + 2
