"""What differs between two surveys of a repository, without what gitorch itself has changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gitorch.git import worktree_list
from gitorch.git.exchange import attempts
from gitorch.git.protected import fingerprint
from gitorch.git.protected.fingerprint import Fingerprint
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Ref
from gitorch.storage import own_changes
from gitorch.storage.own_changes import OwnChanges

_INCOMING = "refs/gitorch/incoming/"
_CHECKOUT = ("index", "entries", "logs/HEAD", "ORIG_HEAD")
"""What changes in the user's checkout when `merge --into` moves the branch that is checked out."""


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Describe each difference between two surveys (state by name) in one line."""
    return fingerprint.differences(Fingerprint(before), Fingerprint(after))


def with_own_changes(
    before: Mapping[str, str],
    after: Mapping[str, str],
    record: OwnChanges,
    branches: Mapping[str, str | None],
    repository: Repository,
) -> tuple[dict[str, str], bool]:
    """Return what was before, changed as gitorch itself has changed it: the rest of the difference is foreign.

    And whether gitorch has moved a user branch that is checked out.
    """
    expected = dict(before)
    moved_by_gitorch: set[str] = set()
    for name in before.keys() | after.keys():
        value = after.get(name, "")
        if before.get(name, "") == value:
            continue
        is_own = value in own_values(record, name)
        if name in branches:
            is_own = is_own or branches[name] in (None, value)
        if is_own and name.startswith("refs/heads/") and name not in branches:
            moved_by_gitorch.add(name)
        is_delivery = name not in before and attempts.is_delivery_ref(name)
        if is_own or is_delivery or name.startswith(_INCOMING) or _is_replaced_journal(name, value):
            _set(expected, name, value)
        if name.startswith("refs/"):  # its reflog says nothing more
            _set(expected, f"logs/{name}", after.get(f"logs/{name}", ""))
    moved_folders = _folders_of(repository, moved_by_gitorch) if moved_by_gitorch else ()
    for name in _CHECKOUT if repository.work_tree in moved_folders else ():
        _set(expected, name, after.get(name, ""))
    return expected, bool(moved_folders)


def _folders_of(repository: Repository, branches: Iterable[str]) -> list[Path]:
    """Return where branches are checked out; none where git cannot say, so that what changed there is told."""
    try:
        folders = worktree_list.all_checkouts(repository)
    except GitFailed:
        return []
    return [folder for name in branches for folder in folders.get(Ref(name), ())]


def moved_before(first: Mapping[str, str], record: OwnChanges, branches: Mapping[str, str | None]) -> Iterator[str]:
    """Yield changes by others that gitorch built on: the value that it found is not one that it had left."""
    for name, values in own_changes.foreign(first, record).items():
        if name.startswith("refs/") and name not in branches:
            yield from (f"{name} was moved to {value[:12]} before gitorch moved it" for value in values)
        elif not name.startswith("refs/"):
            yield f"{name} changed before gitorch changed it"


def own_values(record: OwnChanges, name: str) -> set[str]:
    """Return all values that gitorch gave to a ref or a file."""
    return {new for _, new in record.get(name, ())}


def _is_replaced_journal(name: str, value: str) -> bool:
    """Return whether a journal is gone: a snapshot of the task file has taken its place."""
    return not value and "/journal/" in name


def _set(states: dict[str, str], name: str, value: str) -> None:
    if value:
        states[name] = value
    else:
        states.pop(name, None)
