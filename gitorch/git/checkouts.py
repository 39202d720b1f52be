"""Checkouts of a branch of the user's: who has one, whether it may follow, and bringing it along when its branch moves.

This is the only place where gitorch writes where the user works, for the one command that is about it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from gitorch.errors import Refused
from gitorch.git import lockfiles, worktrees
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, Ref

_UNDERWAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
    "sequencer": "a sequence of picks",
}
_LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}


def holding(repository: Repository, branch: Ref) -> list[Worktree]:
    """Return the checkouts in which a branch is checked out, or is being rebased or bisected."""
    return [one for one in _all(repository) if _head(one) == branch or _borrowed(one) == branch]


def require_ready(repository: Repository, branch: Ref, old: Oid, new: Oid) -> None:
    """Raise `Refused` when a checkout of a branch could not follow it from `old` to `new` and lose nothing."""
    name = branch.removeprefix("refs/heads/")
    for checkout in holding(repository, branch):
        if busy := next((what for mark, what in _UNDERWAY.items() if (checkout.admin / mark).exists()), ""):
            raise Refused(
                "checkout-busy",
                f"{name} is in the middle of {busy} in {checkout.path}",
                fix=(f"finish it there, or give it up: git -C {checkout.path} status",),
            )
        if dirty := _dirty(repository, checkout):
            raise Refused(
                "checkout-dirty",
                f"{name} is checked out in {checkout.path}, and files there are changed and not committed",
                why=", ".join(dirty[:5]),
                fix=(f"git -C {checkout.path} stash", f"git -C {checkout.path} commit -a"),
            )
        if found := next(_in_the_way(repository, checkout, old, new), ""):
            raise Refused(
                "checkout-in-the-way",
                f"{found} in {checkout.path} is not in git, and {name} would get a file there",
                fix=(f"move it away: mv {checkout.path / found} ...",),
            )
        _require_dry_run(repository, checkout, name, old, new)


def follow(repository: Repository, branch: Ref, old: Oid, new: Oid) -> list[str]:
    """Bring the checkouts of a branch that has moved from `old` to `new` along, as `git merge --ff-only` does.

    It can be done again wherever it was cut short. Somebody's own change of a file that was made meanwhile stays;
    returns such paths. A checkout that has gone elsewhere since is left alone.
    """
    left: list[str] = []
    for checkout in _all(repository):
        if _head(checkout) != branch or repository.read_ref(branch) != new:
            continue
        # a file that was touched and not changed would look changed to read-tree
        checkout.git(repository, "update-index", "-q", "--refresh", ok=(0, 1, 128))
        done = checkout.git(repository, "read-tree", "-m", "-u", old, new, ok=(0, 1, 128))
        if done.code != 0:
            left += [str(checkout.path / path) for path in _follow_by_path(repository, checkout, old, new)]
    return left


def _all(repository: Repository) -> Iterator[Worktree]:
    """Yield the user's own work tree, and every linked one."""
    if repository.work_tree is not None:
        yield Worktree(repository.work_tree, repository.common_dir)
    listing = repository.git("worktree", "list", "--porcelain", "-z").stdout.decode("utf-8", "surrogateescape")
    for entry in listing.split("\0\0")[1:]:
        path = Path(entry.partition("\0")[0].removeprefix("worktree "))
        if entry and (found := worktrees.find(repository, path)) is not None:
            yield found


def _head(checkout: Worktree) -> str:
    return _content(checkout.admin / "HEAD").removeprefix("ref: ")


def _borrowed(checkout: Worktree) -> str:
    """Return the branch that a rebase or a bisect will come back to."""
    for name in ("rebase-merge/head-name", "rebase-apply/head-name"):
        if found := _content(checkout.admin / name):
            return found
    start = _content(checkout.admin / "BISECT_START")
    return f"refs/heads/{start}" if start else ""


def _content(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes()).removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _dirty(repository: Repository, checkout: Worktree) -> list[str]:
    options = ("--porcelain=v2", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=dirty")
    entries = checkout.git(repository, "status", *options, env={"GIT_OPTIONAL_LOCKS": "0"}).fields()
    return [worktrees.path_of(entry) for entry in entries]


def _in_the_way(repository: Repository, checkout: Worktree, old: Oid, new: Oid) -> Iterator[str]:
    """Yield what lies where a file would be written and is not git's: git itself overwrites what it ignores."""
    changes = _changes(repository, old, new)
    going = {path for path, status in changes.items() if status in "DT"}
    for path in (path for path, status in changes.items() if status == "A"):
        yield from _obstacles(checkout.path, path, going)


def _obstacles(top: Path, path: str, going: Collection[str]) -> Iterator[str]:
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        place = top / name
        if not os.path.lexists(place):
            return
        if place.is_dir() and not place.is_symlink():
            if depth == len(parts):
                files = (file.relative_to(top).as_posix() for file in place.rglob("*") if not file.is_dir())
                yield from (file for file in files if file not in going)
        elif name not in going:
            yield name
            return


def _require_dry_run(repository: Repository, checkout: Worktree, name: str, old: Oid, new: Oid) -> None:
    if old == new:
        return
    try:
        # on a copy of the index: a git that is killed leaves no lock behind in the user's checkout
        with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
            env = {"GIT_INDEX_FILE": str(shutil.copy(checkout.admin / "index", folder))}
            checkout.git(repository, "update-index", "-q", "--refresh", env=env, ok=(0, 1))
            checkout.git(repository, "read-tree", "-n", "-m", "-u", old, new, env=env)
    except GitFailed as error:
        raise Refused(
            "checkout-stuck",
            f"{name} is checked out in {checkout.path}, and git cannot bring its files along",
            why=error.why,
            fix=(f"git -C {checkout.path} status",),
        ) from error


def _changes(repository: Repository, old: Oid, new: Oid) -> dict[str, str]:
    fields = repository.git("diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new).fields()
    return dict(zip(fields[1::2], fields[::2], strict=True))


def _follow_by_path(repository: Repository, checkout: Worktree, old: Oid, new: Oid) -> list[str]:
    """Do what is left of a `read-tree` that was killed, file by file; return the files that somebody has changed.

    It had seen the checkout clean, so a file holds what it was, what it is to be, or the beginning of that.
    """
    lockfiles.release_index(repository, checkout.admin / "index.lock")
    paths = list(_changes(repository, old, new))
    foreign = [path for path in paths if not _is_ours(repository, checkout, path, old, new)]
    _restore(repository, checkout, new, [path for path in paths if path not in foreign], "--worktree")
    _restore(repository, checkout, new, foreign)
    return foreign


def _is_ours(repository: Repository, checkout: Worktree, path: str, old: Oid, new: Oid) -> bool:
    place = checkout.path / path
    if place.is_symlink():
        now = os.fsencode(place.readlink())
    elif place.is_file():
        now = place.read_bytes()
    else:
        return not any(place.iterdir()) if place.is_dir() else True
    wanted = _as_file(repository, checkout, new, path)
    return now == _as_file(repository, checkout, old, path) or (wanted is not None and wanted.startswith(now))


def _as_file(repository: Repository, checkout: Worktree, commit: Oid, path: str) -> bytes | None:
    """Return a file as it is checked out; None where a commit has none."""
    answer = checkout.git(repository, "cat-file", "--filters", f"{commit}:{path}", ok=(0, 128))
    return answer.stdout if answer.code == 0 else None


def _restore(repository: Repository, checkout: Worktree, commit: Oid, paths: Sequence[str], *where: str) -> None:
    if not paths:
        return
    checkout.git(
        repository,
        *("restore", f"--source={commit}", "--staged", *where, "--pathspec-from-file=-", "--pathspec-file-nul"),
        input=b"\0".join(map(os.fsencode, paths)),
        env=_LITERAL,
    )
