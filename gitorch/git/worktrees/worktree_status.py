"""What a worktree has that is not committed, including files that its index hides from git."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.git import tree_size
from gitorch.git.repository import Repository
from gitorch.git.worktree_list import Worktree
from gitorch.git.worktrees import index_flags, untouched as untouched_files
from gitorch.git.worktrees.index_flags import FlaggedPaths, StagedEntry
from gitorch.model.naming import Oid


class Uncommitted(msgspec.Struct, frozen=True):
    """What a worktree has besides its commit: changed and new paths, and repositories inside it.

    `staged` are the index entries of such paths that have a file, or that the checkout leaves out. `untouched` are
    other files that git calls modified only because of attributes or filters.
    """

    paths: tuple[str, ...]
    nested: tuple[str, ...]
    staged: tuple[StagedEntry, ...] = ()
    untouched: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.nested)


class WorktreeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree's HEAD commit (None: not born), its branch (None: detached), and what is not committed.

    `flagged` are paths that the index hides from git; `uncommitted` includes them.
    """

    tip: Oid | None
    branch: str | None
    uncommitted: Uncommitted
    flagged: FlaggedPaths


def read(repository: Repository, worktree: Worktree) -> WorktreeStatus:
    """Return where a worktree's HEAD is, and what is not committed.

    Ignored files do not count; repositories inside are listed separately. The index is not changed. Raises `Refused`
    if the commit stands for more files than git could compare.
    """
    if reason := size_problem(repository, worktree):
        raise Refused("tree-too-large", f"the commit checked out in {worktree.path} cannot be read", why=reason)
    return compare(repository, worktree)


def compare(repository: Repository, worktree: Worktree) -> WorktreeStatus:
    """Return what `read` does, where `size_problem` has just found none."""
    with index_flags.with_clean_index(repository, worktree) as (env, flagged):
        fields = worktree.git(
            repository,
            *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"),
            *("--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"),
            env={"GIT_OPTIONAL_LOCKS": "0", **env},
        ).fields()
        untouched = untouched_files.find(repository, worktree, fields, env)
    headers = dict(entry[2:].split(" ", 1) for entry in fields if entry.startswith("# "))
    entries = [entry for entry in fields if not entry.startswith("# ")]
    paths = [path for entry in entries if (path := entry_path(entry)) not in untouched]
    nested = tuple(path for path in paths if path.endswith("/"))
    oid, branch = headers["branch.oid"], headers["branch.head"]
    return WorktreeStatus(
        tip=None if oid == "(initial)" else Oid(oid),
        branch=None if branch == "(detached)" else branch,
        uncommitted=Uncommitted(
            tuple(path for path in paths if not path.endswith("/")), nested, _staged(entries), untouched
        ),
        flagged=flagged,
    )


def size_problem(repository: Repository, worktree: Worktree) -> str:
    """Return why a worktree's commit is too large to be compared with its files, or an empty text."""
    head = worktree.git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1, 128))
    return tree_size.size_problem(repository, Oid(head.text)) if head.code == 0 else ""


def uncommitted(repository: Repository, worktree: Worktree) -> Uncommitted:
    """Return what is not committed, as `read` does."""
    return read(repository, worktree).uncommitted


def is_dirty(repository: Repository, path: Path) -> bool:
    """Return whether a worktree, or the user's own checkout, has uncommitted files; a missing folder has none."""
    if not path.is_dir():
        return False
    words = ("status", "--porcelain", "-z", "--ignore-submodules=dirty")
    return bool(repository.git(*words, cwd=path, env={"GIT_OPTIONAL_LOCKS": "0"}, ok=(0, 128)).stdout)


def entry_path(entry: str) -> str:
    """Return the path of an entry of `git status --porcelain=v2 -z --no-renames`."""
    fields = {"1": 8, "u": 10, "?": 1, "!": 1}
    return entry.split(" ", fields[entry[0]])[-1]


def _staged(entries: Sequence[str]) -> tuple[StagedEntry, ...]:
    """Read what is in the index and not in HEAD from entries of `git status --porcelain=v2 -z`."""
    words = [entry.split(" ", 8) for entry in entries if entry.startswith("1 ") and entry[2] not in ".D"]
    # a file that is missing from the folder was deleted after it was staged
    return tuple(StagedEntry(mode, blob, path) for _, states, _, _, mode, _, _, blob, path in words if states[1] != "D")
