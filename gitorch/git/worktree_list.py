"""Which worktrees a repository has, and where each branch is checked out."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from pathlib import Path

import msgspec

from gitorch.git import trusted_filters, worktree_entries
from gitorch.git.opened_worktree import is_genuine, opened
from gitorch.git.repository import Output, Repository
from gitorch.git.worktree_entries import WorktreeEntry
from gitorch.model.naming import Ref
from gitorch.storage import atomic

_DESCRIPTORS = Path("/proc/self/fd")
_NO_FILES = "ref: refs/heads/.invalid"
"""What HEAD says where refs are not files (`reftable`)."""
_HAS_DESCRIPTORS = _DESCRIPTORS.is_dir()


class Worktree(msgspec.Struct, frozen=True):
    """A worktree: its folder, and its own git folder inside the repository."""

    path: Path
    admin: Path

    @property
    def is_linked(self) -> bool:
        """Whether it is a linked worktree, not the user's own work tree."""
        return self.admin.parent.name == "worktrees"

    def git(
        self,
        repository: Repository,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        ok: Container[int] = (0,),
    ) -> Output:
        """Run git in it, with its own git folder and not with the `.git` file that an agent could replace.

        Raises `WorktreeReplaced` if a linked worktree's folder is not the one that git made, and `NeedsTooLong` if its
        patterns keep git busy. Git then works in the folder that was opened, whatever takes its place meanwhile, and
        starts the user's filters elsewhere.
        """
        if not self.is_linked:
            return repository.git(*args, input=input, cwd=self.path, git_dir=self.admin, env=env, ok=ok)
        words, commands = trusted_filters.options(repository)
        with opened(self.path, self.admin) as folder, repository.inherit_lock(folder, all_threads=False):
            cwd = _DESCRIPTORS / str(folder) if _HAS_DESCRIPTORS else self.path
            return repository.git(
                *words, *args, input=input, cwd=cwd, git_dir=self.admin, env={**commands, **(env or {})}, ok=ok
            )


def list_entries(repository: Repository) -> list[WorktreeEntry]:
    """Return the worktrees that git has registered, the main one first; their folders may be gone."""
    return worktree_entries.parse(repository.git(*worktree_entries.LIST).stdout)


def linked_folders(repository: Repository) -> list[Path]:
    """Return the folders of the linked worktrees that are registered, without asking git."""
    folder = repository.common_dir / "worktrees"
    admins = sorted(folder.iterdir()) if folder.is_dir() else ()
    # a relative path is relative to the file
    return [Path(os.path.normpath(admin / read_text(admin / "gitdir"))).parent for admin in admins]


def checked_out(repository: Repository) -> dict[Ref, Path]:
    """Return where each branch is checked out, in the user's work tree and in linked ones."""
    return {branch: paths[-1] for branch, paths in all_checkouts(repository).items()}


def all_checkouts(repository: Repository) -> dict[Ref, tuple[Path, ...]]:
    """Return all checkouts of each branch: with `--force`, git checks out a branch more than once."""
    found: dict[Ref, tuple[Path, ...]] = {}
    for entry in list_entries(repository):
        if entry.branch:
            found[entry.branch] = (*found.get(entry.branch, ()), entry.path)
    return found


def place_of(repository: Repository, branch: Ref) -> Path | None:
    """Return where a branch is checked out; None if it is nowhere, for which git need not be asked."""
    linked = repository.common_dir / "worktrees"
    admins = [repository.common_dir, *(sorted(linked.iterdir()) if linked.is_dir() else ())]
    heads = {read_text(admin / "HEAD") for admin in admins}
    may_be = heads & {f"ref: {branch}", _NO_FILES}
    return checked_out(repository).get(branch) if may_be else None


def find(repository: Repository, path: Path) -> Worktree | None:
    """Return the registered linked worktree at a path; None if there is none, or its folder is gone or replaced."""
    admin = find_admin(repository, path)
    return Worktree(path, admin) if admin is not None and is_genuine(path, admin) else None


def find_admin(repository: Repository, path: Path) -> Path | None:
    """Return the git folder of the worktree registered at a path, whatever is there now."""
    folder = repository.common_dir / "worktrees"
    likely = folder / path.name
    if points_to(likely, path):
        return likely
    admins = sorted(folder.iterdir()) if folder.is_dir() else ()
    return next((admin for admin in admins if points_to(admin, path)), None)


def points_to(admin: Path, path: Path) -> bool:
    """Return whether a worktree's own git folder belongs to the worktree at a path."""
    try:
        target = os.fsdecode((admin / "gitdir").read_bytes().removesuffix(b"\n"))
    except OSError:
        return False
    # it may be relative, and either may go through links
    return os.path.realpath(admin / target) == os.path.realpath(path / ".git")


def read_text(path: Path) -> str:
    """Return a one-line file of a git folder; empty if there is none."""
    return os.fsdecode(atomic.read_or_empty(path)).removesuffix("\n")
