"""Carry the user's own notes over to rewritten commits, as `git rebase` does: `notes.rewriteRef` says which."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence

from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, Oid, Ref
from gitorch.model.refs import RefUpdate

_NOTES = "refs/notes/"
_NO = frozenset({"false", "no", "off", "0"})


def carry(repository: Repository, pairs: Sequence[tuple[Oid, Oid]]) -> list[RefUpdate]:
    """Make notes commits in which the notes of old commits are also on the new ones, and return their updates.

    Nothing is visible until the updates are made. Empty if the user has not configured `notes.rewriteRef`.
    """
    pairs = [(old, new) for old, new in pairs if old != new]
    settings = repository.settings.with_prefix("notes.rewrite") if pairs else {}
    patterns = _patterns(settings)
    if not patterns or _last(settings, "notes.rewrite.rebase", "true").lower() in _NO:
        return []
    mode = os.environ.get("GIT_NOTES_REWRITE_MODE") or _last(settings, "notes.rewritemode", "concatenate")
    refs = [ref for ref in repository.refs(_NOTES) if any(fnmatch.fnmatchcase(ref, pattern) for pattern in patterns)]
    updates = (_carry(repository, ref, pairs, mode) for ref in refs if ref != NOTES)
    return [update for update in updates if update is not None]


def _carry(repository: Repository, ref: Ref, pairs: Sequence[tuple[Oid, Oid]], mode: str) -> RefUpdate | None:
    tip, contents = note_store.read_contents(
        repository, list(dict.fromkeys(oid for pair in pairs for oid in pair)), ref
    )
    changed: dict[Oid, bytes] = {}
    for old, new in pairs:
        if contents[old]:
            changed[new] = combined(changed.get(new, contents[new]), contents[old], mode)
    changed = {oid: content for oid, content in changed.items() if content != contents[oid]}
    return note_store.build_rewritten(repository, tip, changed, ref) if changed else None


def combined(existing: bytes, carried: bytes, mode: str) -> bytes:
    """Return the note of a commit that has an `existing` one and gets another, as git's `notes.rewriteMode` says."""
    if not existing or mode == "overwrite":
        return carried
    if mode == "ignore":
        return existing
    if mode == "cat_sort_uniq":
        lines = {line for line in (*existing.split(b"\n"), *carried.split(b"\n")) if line}
        return b"".join(line + b"\n" for line in sorted(lines))
    return existing.removesuffix(b"\n") + b"\n\n" + carried


def _patterns(settings: Mapping[str, list[str]]) -> list[str]:
    from_environment = os.environ.get("GIT_NOTES_REWRITE_REF")
    names = from_environment.split(":") if from_environment is not None else settings.get("notes.rewriteref", [])
    return [name for name in names if name.startswith(_NOTES)]


def _last(settings: Mapping[str, list[str]], name: str, default: str) -> str:
    return settings.get(name, [default])[-1] or default
