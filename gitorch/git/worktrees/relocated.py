"""A repository that was moved, renamed or copied: recognised, and linked with its worktrees again.

A linked worktree and its repository name each other by absolute paths. Whoever moves one of them breaks the links;
whoever copies a repository with `cp -r` gets one that names the worktrees of the original as its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from gitorch.git.layout import LOCATION_FILE
from gitorch.git.opened_worktree import link, link_target, remember
from gitorch.git.repository import Repository
from gitorch.git.worktree_list import points_to, read_text
from gitorch.git.worktrees.worktree_trash import Move, carry_out, new_stamp
from gitorch.model.naming import REMEMBERED_FOLDER, Ref
from gitorch.storage import atomic


class LinkedWorktree(msgspec.Struct, frozen=True):
    """A worktree of gitorch: its path before, the branch that it has checked out, and its path now (None: nowhere)."""

    old: Path
    branch: Ref
    path: Path | None


class Relocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a repository was before, and whether it is a copy: the original is still there."""

    old: Path
    is_copy: bool


def find(repository: Repository) -> Relocation | None:
    """Return from where a repository was moved or copied; None if it is where gitorch last used it."""
    recorded = read_text(_record(repository))
    if recorded == str(repository.common_dir) or not recorded.startswith("/") or "\0" in recorded:
        return None  # it has not moved, or the record is damaged
    old = Path(recorded)
    if _is_same(old, repository.common_dir):
        return None  # another name for the same folder
    return Relocation(old=old, is_copy=read_text(old / LOCATION_FILE) == recorded)


def record(repository: Repository) -> None:
    """Record where a repository is; its state folder must exist."""
    atomic.replace(_record(repository), os.fsencode(repository.common_dir) + b"\n", durable=False, concurrent=True)


def relink(
    repository: Repository, relocation: Relocation, candidates: Callable[[Path, Ref], Iterator[Path]]
) -> list[LinkedWorktree]:
    """Link gitorch's own worktrees and the repository with each other again; return where each is now.

    `candidates` yields more places for a worktree's old path and branch. Worktrees of the original stay as they are,
    and a copy forgets them. Call with the worktree lock held.
    """
    relinked = []
    for admin in _own_admins(repository):
        old = Path(os.path.normpath(admin / read_text(admin / "gitdir"))).parent
        moved = Path(os.path.normpath(repository.common_dir / os.path.relpath(old, relocation.old)))
        branch = Ref(read_text(admin / "HEAD").removeprefix("ref: "))
        place = next((path for path in (moved, old, *candidates(old, branch)) if _adopt(admin, path)), None)
        relinked.append(LinkedWorktree(old, branch, place))
        if place is None and relocation.is_copy:
            trash = repository.common_dir / "gitorch" / "trash" / new_stamp()
            carry_out([Move(admin, trash / f"{admin.name}.git")])
    return relinked


def relink_moved(repository: Repository, old: Path, new: Path) -> bool:
    """Link a worktree that was moved by hand from `old` to `new`; return whether it is one of this repository's own."""
    admins = (admin for admin in _own_admins(repository) if points_to(admin, old))
    return any(_adopt(admin, new) for admin in admins)


def _record(repository: Repository) -> Path:
    return repository.common_dir / LOCATION_FILE


def _is_same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def _own_admins(repository: Repository) -> Iterator[Path]:
    folder = repository.common_dir / "worktrees"
    for admin in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (admin / REMEMBERED_FOLDER).exists() and read_text(admin / "gitdir"):
            yield admin


def _adopt(admin: Path, path: Path) -> bool:
    """Link a folder and a git folder with each other, if the folder is the worktree of this one and of no other."""
    target = link_target(path)
    registered = _registered(target, admin.name) if target is not None else None
    if target is None or registered is None:
        return False
    if os.path.realpath(registered) != os.path.realpath(admin) and registered.exists() and points_to(registered, path):
        return False  # it belongs to the original
    if os.path.realpath(target) != os.path.realpath(admin):
        link(path, admin)
    if not points_to(admin, path):
        atomic.replace(admin / "gitdir", os.fsencode(path / ".git") + b"\n")
    remember(path, admin)
    return True


def _registered(target: Path, name: str) -> Path | None:
    """Return the git folder of this name that a worktree has, if its `.git` file leads there or to an attempt's own."""
    if target.name == name:
        return target
    if target.name == "git" and target.parts[-5:-3] == ("gitorch", "rooms"):
        return target.parents[4] / "worktrees" / name
    return None
