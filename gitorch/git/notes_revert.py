"""Take out of git notes exactly what an earlier change put into them, however many notes were written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.errors import Refused
from gitorch.git import notes
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.model.refs import RefUpdate

Contents = Mapping[Oid, bytes]


def without(repository: Repository, before: Oid | None, after: Oid | None) -> RefUpdate:
    """Make a notes commit in which the change from `before` to `after` is taken back, and return its move.

    `before` and `after` are commits of the notes (None: there were none). Raises `Refused` where somebody has
    rewritten a note that the change had touched. Call within `notes.lock`.
    """
    was, became = _contents(repository, before), _contents(repository, after)
    touched = [commit for commit in {**was, **became} if was.get(commit) != became.get(commit)]
    old, new = _read(repository, was, touched), _read(repository, became, touched)
    tip, now = notes.existing(repository, touched)
    found: dict[Oid, bytes] = {}
    for commit in touched:
        content = taken_back(now[commit], old.get(commit, b""), new.get(commit, b""))
        if content is None:
            raise Refused(
                "notes-rewritten", f"the note on {commit[:12]} was rewritten since", why="by hand, or by a fetch"
            )
        found[commit] = content
    return notes.rewritten(repository, tip, found)


def taken_back(now: bytes, before: bytes, after: bytes) -> bytes | None:
    """Return a text without the change from `before` to `after`, line by line; None where it is not found in it."""
    here, old, new = (text.splitlines(keepends=True) for text in (now, before, after))
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    gone, added = old[start : len(old) - end], new[start : len(new) - end]
    if not added:
        at = start if here[:start] == new[:start] else len(here)
        return b"".join([*here[:at], *gone, *here[at:]])
    places = (at for at in (start, *range(len(here))) if here[at : at + len(added)] == added)
    place = next(places, None)
    return None if place is None else b"".join([*here[:place], *gone, *here[place + len(added) :]])


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


def _contents(repository: Repository, tip: Oid | None) -> dict[Oid, bytes]:
    """Return the blob of each note of a notes commit: git spreads them over folders of two digits."""
    if tip is None:
        return {}
    entries = (entry.partition("\t") for entry in repository.git("ls-tree", "-r", "-z", tip).fields())
    return {Oid(path.replace("/", "")): words.split()[2].encode() for words, _, path in entries}


def _read(repository: Repository, blobs: Contents, commits: Sequence[Oid]) -> dict[Oid, bytes]:
    noted = [commit for commit in commits if commit in blobs]
    entries = repository.read_objects(blobs[commit].decode() for commit in noted)
    return {commit: entry.content or b"" for commit, entry in zip(noted, entries, strict=True)}
