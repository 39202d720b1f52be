"""Remove from git notes exactly what an earlier change added, however many notes were written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.errors import Refused
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, Oid, Ref
from gitorch.model.refs import RefUpdate

Blobs = Mapping[Oid, str]
"""The blob of each commit's note."""


def revert(repository: Repository, before: Oid | None, after: Oid | None, ref: Ref = NOTES) -> RefUpdate:
    """Make a notes commit that reverts the change from `before` to `after`, and return its update.

    `before` and `after` are commits of the notes at `ref` (None: there were none). A note that the change touched and
    that was rewritten since stays if the ref is a user's; otherwise `Refused` is raised. Call with
    `notes.lock` held.
    """
    old_blobs, new_blobs = note_blobs(repository, before), note_blobs(repository, after)
    touched = [commit for commit in {**old_blobs, **new_blobs} if old_blobs.get(commit) != new_blobs.get(commit)]
    old, new = contents_of(repository, old_blobs, touched), contents_of(repository, new_blobs, touched)
    tip, current = note_store.read_contents(repository, touched, ref)
    contents: dict[Oid, bytes] = {}
    for commit in touched:
        content = revert_text(current[commit], old.get(commit, b""), new.get(commit, b""))
        if content is not None:
            contents[commit] = content
        elif ref == NOTES:
            raise Refused(
                "notes-rewritten", f"the note on {commit[:12]} was rewritten since", why="by hand, or by a fetch"
            )
    return note_store.build_rewritten(repository, tip, contents, ref) if contents else RefUpdate(ref, tip, tip)


def revert_text(current: bytes, before: bytes, after: bytes) -> bytes | None:
    """Return a text without the change from `before` to `after`, line by line; None if it is not found there."""
    lines, old, new = (text.splitlines(keepends=True) for text in (current, before, after))
    start = _common_prefix(old, new)
    end = _common_prefix(old[start:][::-1], new[start:][::-1])
    removed, added = old[start : len(old) - end], new[start : len(new) - end]
    if not added:
        position = start if lines[:start] == new[:start] else len(lines)
        return b"".join([*lines[:position], *removed, *lines[position:]])
    candidates = (start, *range(len(lines)))
    match = next((index for index in candidates if lines[index : index + len(added)] == added), None)
    return None if match is None else b"".join([*lines[:match], *removed, *lines[match + len(added) :]])


def _common_prefix(first: Sequence[bytes], second: Sequence[bytes]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (line, other) in pairs if line != other), min(len(first), len(second)))


def note_blobs(repository: Repository, tip: Oid | None) -> Blobs:
    """Return the blob of each note of a notes commit: git spreads them over folders of two digits."""
    if tip is None:
        return {}
    entries = (entry.partition("\t") for entry in repository.git("ls-tree", "-r", "-z", tip).fields())
    return {Oid(path.replace("/", "")): words.split()[2] for words, _, path in entries}


def contents_of(repository: Repository, blobs: Blobs, commits: Sequence[Oid]) -> dict[Oid, bytes]:
    """Return the notes of those of these commits that have one."""
    noted = [commit for commit in commits if commit in blobs]
    entries = repository.read_objects(blobs[commit] for commit in noted)
    return {commit: entry.content or b"" for commit, entry in zip(noted, entries, strict=True)}
