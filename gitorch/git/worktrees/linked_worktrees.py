"""Linked worktrees: add one, save its uncommitted files, reset it, take it away without losing anything."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitorch.errors import Refused
from gitorch.git.opened_worktree import remember
from gitorch.git.repository import GitFailed, NeedsTooLong, Repository
from gitorch.git.worktree_list import Worktree, checked_out, find, points_to, read_text
from gitorch.git.worktrees import index_flags, untouched
from gitorch.git.worktrees.rescue_points import rescue
from gitorch.git.worktrees.worktree_trash import carry_out, new_stamp, removal
from gitorch.model.naming import REMEMBERED_FOLDER, Ref, branch_ref
from gitorch.storage import locks

__all__ = [
    "Worktree",
    "add",
    "checked_out",
    "discard_unfinished",
    "find",
    "lock",
    "own_worktree_of",
    "remove_stale_locks",
    "rescue",
    "restore",
    "take_away",
]

_IN_PARALLEL = ("-c", f"checkout.workers={min(4, os.cpu_count() or 1)}")
"""How git writes many files: by several processes. It does so only for a hundred files and more."""

_SEQUENCES = ("rebase-merge", "rebase-apply", "sequencer")
"""What git keeps of a rebase or of several picks. A reset ends a merge or a single pick, but not these."""


def add(repository: Repository, path: Path, branch: str, reason: str, *, new: bool = False) -> Worktree:
    """Add a worktree for an existing branch, lock it with a reason, and check its files out.

    `git worktree add` fails if several run at once, so one process at a time adds; the files are written afterwards,
    in parallel. A `new` branch, just created, spares git the check whether another worktree has it checked out.
    Raises `Refused` if the path is not free.
    """
    if path.exists() and any(path.iterdir()):
        raise Refused("worktree-in-the-way", f"{path} exists and is not empty", fix=(f"move it away: mv {path} ...",))
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock(repository):
        for admin in _admin_folders(repository, path):
            _erase(repository, admin)  # the worktree's folder was removed by hand
        options = ("--quiet", "--no-checkout", *(("--force",) if new else ()), "--lock", "--reason", reason)
        try:
            repository.git("worktree", "add", *options, str(path), branch)
        except GitFailed:
            if not _erase_unfinished(repository):
                raise
            repository.git("worktree", "add", *options, str(path), branch)
    worktree = find(repository, path)
    assert worktree is not None, path
    remember(path, worktree.admin)
    # a git killed in an earlier worktree of this name may have left locks, which would stop the agent's commits
    remove_stale_locks(repository, worktree, branch_ref(branch))
    with _checkout_lock(repository, worktree.admin):
        worktree.git(repository, *_IN_PARALLEL, "reset", "--quiet", "--hard")
    untouched.settle(repository, worktree)
    untouched.mark_new(worktree)
    return worktree


def remove_stale_locks(repository: Repository, worktree: Worktree, branch: Ref) -> None:
    """Remove the locks that a killed git left in a worktree. Only while nothing runs in it."""
    admin, shared = worktree.admin, repository.common_dir
    repository.remove_stale_locks(admin / "index.lock", admin / "HEAD.lock", shared / f"{branch}.lock")


def take_away(repository: Repository, path: Path, ref: Ref, message: str) -> None:
    """Move a worktree, or a link in its place, into the trash, after saving uncommitted files under `ref`."""
    # where patterns keep git from looking, the trash alone has the files
    with contextlib.suppress(NeedsTooLong):
        if (worktree := find(repository, path)) is not None:
            rescue(repository, worktree, ref, message, complete=True)
    with lock(repository):
        carry_out(removal(repository, path, new_stamp()))


def own_worktree_of(repository: Repository, branch: Ref) -> Path | None:
    """Return where a worktree that gitorch made has a branch checked out; None if none has."""
    path = checked_out(repository).get(branch)
    worktree = find(repository, path) if path is not None else None
    return path if worktree is not None and (worktree.admin / REMEMBERED_FOLDER).exists() else None


def restore(repository: Repository, worktree: Worktree, *, branch: str = "", commit: str = "HEAD") -> None:
    """Reset a worktree (and its `branch`, if named) to a commit; only ignored files stay.

    Index flags are cleared, because git would skip these files, and unfinished operations end.
    """
    flagged = index_flags.clear_flags(repository, worktree)
    for name in _SEQUENCES:
        shutil.rmtree(worktree.admin / name, ignore_errors=True)
    if branch:
        worktree.git(repository, "checkout", "--quiet", "--force", branch)
    worktree.git(repository, "reset", "--quiet", "--hard", commit)
    worktree.git(repository, "clean", "--quiet", "-d", "--force")
    if flagged.absent:
        index_flags.restore_absent(repository, worktree)
    untouched.settle(repository, worktree)


def discard_unfinished(repository: Repository, path: Path) -> None:
    """Remove what an interrupted `add` left. Only for a worktree in which no agent has run."""
    with lock(repository):
        _erase_unfinished(repository)
        for admin in _admin_folders(repository, path):
            with _checkout_lock(repository, admin):
                if path.exists():
                    shutil.rmtree(path)
                _erase(repository, admin)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _admin_folders(repository: Repository, path: Path) -> list[Path]:
    """Return the git folders of worktrees at a path, including those that were never finished."""
    folder = repository.common_dir / "worktrees"
    # git names them after the last part of the path, adds a number if that is taken, and replaces odd characters
    pattern = re.compile(path.name + "[0-9]*" if re.fullmatch("[A-Za-z0-9_-]+", path.name) else ".*", re.DOTALL)
    names = [entry.name for entry in os.scandir(folder)] if folder.is_dir() else []
    return [
        admin
        for admin in (folder / name for name in sorted(names) if pattern.fullmatch(name))
        if points_to(admin, path) or (admin.name == path.name and not (admin / "gitdir").exists())
    ]


def _erase_unfinished(repository: Repository) -> bool:
    """Remove what a killed git process of gitorch left of any worktree: the next `git worktree add` fails over it.

    Returns whether there was any. It reads three files of every worktree, so it is not for the common case. Call with
    the lock held, so that no process of ours adds a worktree. What git itself locks meanwhile, for a person, stays.
    """
    folder = repository.common_dir / "worktrees"
    erased = False
    for admin in sorted(folder.iterdir()) if folder.is_dir() else ():
        contents = [read_text(admin / name) for name in ("gitdir", "HEAD", "commondir")]
        if not all(contents) and read_text(admin / "locked") not in ("", "initializing"):
            if contents[0]:
                # no file was checked out yet
                link = Path(contents[0])
                link.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    link.parent.rmdir()
            _erase(repository, admin)
            erased = True
    return erased


def _erase(repository: Repository, admin: Path) -> None:
    """Remove a worktree's own git folder in one step, and no other, as `git worktree prune` would."""
    discarded = repository.common_dir / "gitorch" / f"discarded-{uuid.uuid4().hex}"
    admin.rename(discarded)
    shutil.rmtree(discarded)


@contextmanager
def lock(repository: Repository) -> Iterator[None]:
    """Hold the repository's worktree lock; it is free as soon as its holder ends."""
    path = repository.common_dir / "gitorch" / "worktrees.lock"
    with locks.file_lock(path) as file, repository.inherit_lock(file, all_threads=False):
        yield


@contextmanager
def _checkout_lock(repository: Repository, admin: Path) -> Iterator[None]:
    """Wait for a checkout by a git that outlived its gitorch, and make others wait for this one."""
    folder = os.open(admin, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with repository.inherit_lock(folder, all_threads=False):
            yield
    finally:
        os.close(folder)
