"""Linked worktrees: add one at a time, save what is uncommitted, remove without losing anything."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.git import index_flags
from gitorch.git.index_flags import Hidden, Staged
from gitorch.git.repository import GitFailed, Output, RefsMoved, Repository
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.storage import locks


class Worktree(msgspec.Struct, frozen=True):
    """A linked worktree: its folder, and its own git folder inside the repository."""

    path: Path
    admin: Path

    def git(self, repository: Repository, *args: str, input: bytes | None = None, **options: object) -> Output:
        """Run git in it, by its own git folder and not by the `.git` file that an agent could replace."""
        return repository.git(*args, input=input, cwd=self.path, git_dir=self.admin, **options)  # type: ignore[arg-type]


class Dirt(msgspec.Struct, frozen=True):
    """What a worktree holds beside its commit: changed and new paths, and repositories inside it.

    `staged` is what its index has of such paths, where there is a file or the checkout leaves it out.
    """

    paths: tuple[str, ...]
    nested: tuple[str, ...]
    staged: tuple[Staged, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.nested)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a worktree stands: HEAD's commit (None: not born), the branch it is on (None: detached), the dirt.

    `hidden` is what git was told not to look at; the dirt tells of it all the same.
    """

    tip: Oid | None
    branch: str | None
    dirt: Dirt
    hidden: Hidden


def add(repository: Repository, path: Path, branch: str, reason: str, *, new: bool = False) -> Worktree:
    """Make a worktree of an existing branch, and check its files out.

    Git's own `worktree add` fails when several run at once, so they take turns; the files are
    written after the turn, side by side. A `new` branch, made just now, spares git half of its looks at all other
    worktrees: whether one has it checked out. Raises `Refused` when something is in the way.
    """
    if path.exists() and any(path.iterdir()):
        raise Refused("worktree-in-the-way", f"{path} exists and is not empty", fix=(f"move it away: mv {path} ...",))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _turn(repository):
        for admin in _admins(repository, path):
            _erase(repository, admin)  # its folder was removed by hand
        options = ("--quiet", "--no-checkout", *(("--force",) if new else ()), "--lock", "--reason", reason)
        try:
            repository.git("worktree", "add", *options, str(path), branch)
        except GitFailed:
            if not _clear_unfinished(repository):
                raise
            repository.git("worktree", "add", *options, str(path), branch)
    worktree = find(repository, path)
    assert worktree is not None, path
    # of a git that was killed where this worktree was before: it would stop the agent's commits, too
    unlock(repository, worktree, branch_ref(branch))
    with _checking_out(repository, worktree.admin):
        worktree.git(repository, "reset", "--quiet", "--hard")
    return worktree


def find(repository: Repository, path: Path) -> Worktree | None:
    """Return the registered worktree at a path; None where there is none, or its folder is gone."""
    if not path.is_dir():
        return None
    admins = repository.common_dir / "worktrees"
    likely = admins / path.name
    if _points_to(likely, path):
        return Worktree(path, likely)
    for admin in sorted(admins.iterdir()) if admins.is_dir() else ():
        if _points_to(admin, path):
            return Worktree(path, admin)
    return None


def checked_out(repository: Repository) -> dict[Ref, Path]:
    """Return where each branch is checked out, in the user's work tree and in linked ones."""
    listing = repository.git("worktree", "list", "--porcelain", "-z").stdout.decode("utf-8", "surrogateescape")
    found: dict[Ref, Path] = {}
    for entry in listing.split("\0\0"):
        lines = entry.strip("\0").split("\0")
        where = Path(lines[0].removeprefix("worktree "))
        found |= {Ref(line.removeprefix("branch ")): where for line in lines if line.startswith("branch ")}
    return found


def look(repository: Repository, worktree: Worktree) -> Standing:
    """Return where a worktree's HEAD is, and what is not committed.

    Ignored files do not count; repositories inside are named apart. What git was told not to look at counts.
    """
    with index_flags.honest(repository, worktree) as (env, hidden):
        listing = worktree.git(
            repository,
            *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"),
            *("--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"),
            env={"GIT_OPTIONAL_LOCKS": "0", **env},  # looking changes nothing, and gets in nobody's way
        ).fields()
    headers = dict(entry[2:].split(" ", 1) for entry in listing if entry.startswith("# "))
    entries = [entry for entry in listing if not entry.startswith("# ")]
    paths = [path_of(entry) for entry in entries]
    nested = tuple(path for path in paths if path.endswith("/"))
    oid, branch = headers["branch.oid"], headers["branch.head"]
    return Standing(
        tip=None if oid == "(initial)" else Oid(oid),
        branch=None if branch == "(detached)" else branch,
        dirt=Dirt(tuple(path for path in paths if not path.endswith("/")), nested, _staged(entries)),
        hidden=hidden,
    )


def _staged(entries: Sequence[str]) -> tuple[Staged, ...]:
    """Read what is in the index and not in HEAD from entries of `git status --porcelain=v2 -z`."""
    words = [entry.split(" ", 8) for entry in entries if entry.startswith("1 ") and entry[2] not in ".D"]
    # what is gone from the folder was deleted after it was staged
    return tuple(Staged(mode, blob, path) for _, changed, _, _, mode, _, _, blob, path in words if changed[1] != "D")


def is_dirty(repository: Repository, path: Path) -> bool:
    """Tell whether a worktree, also the user's own, has uncommitted files; one whose folder is gone has none."""
    if not path.is_dir():
        return False
    words = ("status", "--porcelain", "-z", "--ignore-submodules=dirty")
    return bool(repository.git(*words, cwd=path, env={"GIT_OPTIONAL_LOCKS": "0"}, ok=(0, 128)).stdout)


def unlock(repository: Repository, worktree: Worktree, branch: Ref) -> None:
    """Remove the locks that a git left which was killed in a worktree. Only while nobody works there."""
    admin, shared = worktree.admin, repository.common_dir
    repository.remove_stale_locks(admin / "index.lock", admin / "HEAD.lock", shared / f"{branch}.lock")


def dirt(repository: Repository, worktree: Worktree) -> Dirt:
    """Return what is not committed, as `look` does."""
    return look(repository, worktree).dirt


def embedded(worktree: Worktree) -> tuple[str, ...]:
    """Return the repositories inside a worktree that `git status` does not tell of: those in ignored folders, too."""
    found = []
    for folder, names, _ in os.walk(worktree.path):
        if ".git" in names and Path(folder) != worktree.path:
            found.append(os.path.relpath(folder, worktree.path) + "/")
            names.clear()
    return tuple(found)


def rescue(repository: Repository, worktree: Worktree, ref: Ref, message: str) -> Oid | None:
    """Save uncommitted files as a commit under `ref`, and return it; None when there are none.

    Commits that are on no branch are saved with them: HEAD may be detached. Branch, index and files stay as they are:
    the tree is made in a private index. Earlier rescue points
    stay reachable as the first parent's line; what one of them holds already is not saved again. Several may save the
    same worktree at the same time.
    """
    seen = look(repository, worktree)
    if not seen.dirt.paths and not _is_loose(repository, seen):
        return None
    head, tree = index_flags.snapshot(repository, worktree, seen.dirt)
    for remaining in reversed(range(_TRIES)):
        old = repository.read_ref(ref)
        if old and _holds(repository, old, tree, head):
            return old
        parents = [word for oid in (old, head) if oid for word in ("-p", oid)]
        new = Oid(repository.git("commit-tree", tree, *parents, input=message.encode(), env=repository.identity()).text)
        try:
            repository.update_refs([RefUpdate(ref, new, old)], "save uncommitted work")
        except RefsMoved:
            if not remaining:
                raise
        else:
            return new
    return None


_TRIES = 5
_SEQUENCES = ("rebase-merge", "rebase-apply", "sequencer")
"""What git keeps of a rebase or of several picks: a reset ends a merge or a single pick, and these not."""


def _is_loose(repository: Repository, seen: Standing) -> bool:
    """Tell whether HEAD is the only one that holds its commits."""
    if seen.branch is not None or seen.tip is None:
        return False
    return not repository.git("for-each-ref", "--count=1", f"--contains={seen.tip}", "--format=%(refname)").stdout


def _holds(repository: Repository, saved: Oid, tree: str, head: str) -> bool:
    """Tell whether a rescue point holds this very tree on top of this commit."""
    (commit,) = repository.commits([saved])
    return commit.tree == tree and (not head or commit.parents[-1:] == (head,))


def remove(repository: Repository, worktree: Worktree, ref: Ref, message: str) -> None:
    """Remove a worktree, after its uncommitted files were saved under `ref`.

    Ignored files go with it. Raises `Refused` when a repository inside could not be saved.
    """
    if nested := (*dirt(repository, worktree).nested, *embedded(worktree)):
        raise Refused(
            "nested-repository",
            f"{worktree.path} holds a git repository that is nowhere else: {nested[0]}",
            fix=(f"move it away: mv {worktree.path / nested[0]} ...",),
        )
    rescue(repository, worktree, ref, message)
    with _turn(repository):
        # twice: once for files that git ignores, once for our own lock
        repository.git("worktree", "remove", "--force", "--force", str(worktree.path))


def restore(repository: Repository, worktree: Worktree, *, branch: str = "", commit: str = "HEAD") -> None:
    """Bring a worktree (to its `branch`, and both) to a commit, with nothing else there but what git ignores.

    What the index hides, git would pass over; what was left half done is over.
    """
    found = index_flags.uncover(repository, worktree)
    for name in _SEQUENCES:
        shutil.rmtree(worktree.admin / name, ignore_errors=True)
    if branch:
        worktree.git(repository, "checkout", "--quiet", "--force", branch)
    worktree.git(repository, "reset", "--quiet", "--hard", commit)
    worktree.git(repository, "clean", "--quiet", "-d", "--force")
    if found.absent:
        index_flags.bring_back(repository, worktree)


def discard_half_made(repository: Repository, path: Path) -> None:
    """Remove what an interrupted `add` left. Only for a worktree in which no agent has run."""
    with _turn(repository):
        _clear_unfinished(repository)
        for admin in _admins(repository, path):
            with _checking_out(repository, admin):
                if path.exists():
                    shutil.rmtree(path)
                _erase(repository, admin)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _admins(repository: Repository, path: Path) -> list[Path]:
    """Return the git folders of a worktree at a path, also of one whose making was interrupted."""
    folder = repository.common_dir / "worktrees"
    # git names them after the last part of the path, with a number where that is taken, and odd characters replaced
    ours = re.compile(path.name + "[0-9]*" if re.fullmatch("[A-Za-z0-9_-]+", path.name) else ".*", re.DOTALL)
    names = [entry.name for entry in os.scandir(folder)] if folder.is_dir() else []
    return [
        admin
        for admin in (folder / name for name in sorted(names) if ours.fullmatch(name))
        if _points_to(admin, path) or (admin.name == path.name and not (admin / "gitdir").exists())
    ]


def _clear_unfinished(repository: Repository) -> bool:
    """Remove what a git that was killed with us left of any worktree: the next `git worktree add` fails over it.

    Returns whether there was any. It reads three files of every worktree: not for the common case.
    Call in turn: nobody else of us is making one now. What git itself locks meanwhile, for a person, stays.
    """
    folder = repository.common_dir / "worktrees"
    found = False
    for admin in sorted(folder.iterdir()) if folder.is_dir() else ():
        written = [_content(admin / name) for name in ("gitdir", "HEAD", "commondir")]
        if not all(written) and _content(admin / "locked") not in ("", "initializing"):
            if written[0]:
                # no file was checked out yet
                link = Path(written[0])
                link.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    link.parent.rmdir()
            _erase(repository, admin)
            found = True
    return found


def _content(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes()).removesuffix("\n")
    except FileNotFoundError:
        return ""


def _erase(repository: Repository, admin: Path) -> None:
    """Take a worktree's own git folder away in one step, and not those of others, as `git worktree prune` would."""
    aside = repository.common_dir / "gitorch" / f"discarded-{uuid.uuid4().hex}"
    admin.rename(aside)
    shutil.rmtree(aside)


def path_of(entry: str) -> str:
    """Return the path of an entry of `git status --porcelain=v2 -z` (no renames are asked for)."""
    fields = {"1": 8, "u": 10, "?": 1, "!": 1}
    return entry.split(" ", fields[entry[0]])[-1]


def _points_to(admin: Path, path: Path) -> bool:
    try:
        target = os.fsdecode((admin / "gitdir").read_bytes().removesuffix(b"\n"))
    except OSError:
        return False
    # it may be relative, and either may go through links
    return os.path.realpath(admin / target) == os.path.realpath(path / ".git")


@contextmanager
def _turn(repository: Repository) -> Iterator[None]:
    """Hold the repository's worktree lock: it is free the moment its holder dies."""
    place = repository.common_dir / "gitorch" / "worktrees.lock"
    with locks.turn(place) as file, repository.inherit_lock(file, all_threads=False):
        yield


@contextmanager
def _checking_out(repository: Repository, admin: Path) -> Iterator[None]:
    """Wait for a checkout that outlived its gitorch, and let others wait for ours."""
    folder = os.open(admin, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with repository.inherit_lock(folder, all_threads=False):
            yield
    finally:
        os.close(folder)
