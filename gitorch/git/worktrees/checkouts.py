"""Checkouts of a user's branch: find them, check that they can follow, and update them when the branch moves.

This is the only place where gitorch writes to the user's checkout, for the one command whose purpose that is.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from gitorch.errors import Refused
from gitorch.git import lockfiles
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktree_list import Worktree, find, list_entries, read_text
from gitorch.git.worktrees import untouched, worktree_status
from gitorch.git.worktrees.index_flags import read_flags
from gitorch.model.naming import Oid, Ref

_IN_PROGRESS = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
    "sequencer": "a sequence of picks",
}
_LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}


def find_checkouts(repository: Repository, branch: Ref) -> list[Worktree]:
    """Return the checkouts that have a branch checked out, or are rebasing or bisecting it."""
    return [checkout for checkout, head in _all(repository) if branch in (head, _suspended_branch(checkout))]


def require_ready(repository: Repository, branch: Ref, old: Oid, new: Oid) -> None:
    """Raise `Refused` if a checkout of a branch could not follow it from `old` to `new` without losing anything."""
    name = branch.removeprefix("refs/heads/")
    _require_present(repository, branch)
    for checkout in find_checkouts(repository, branch):
        for file, operation in _IN_PROGRESS.items():
            if (checkout.admin / file).exists():
                raise Refused(
                    "checkout-busy",
                    f"{name} is in the middle of {operation} in {checkout.path}",
                    fix=(f"finish it there, or give it up: git -C {checkout.path} status",),
                )
        lockfiles.require_no_lock(checkout.admin / "index.lock")
        if dirty := _dirty(repository, checkout):
            raise Refused(
                "checkout-dirty",
                f"{name} is checked out in {checkout.path}, and files there are changed and not committed",
                why=", ".join(dirty[:5]),
                fix=(f"git -C {checkout.path} stash", f"git -C {checkout.path} commit -a"),
            )
        if path := next(_untracked_obstacles(repository, checkout, old, new), ""):
            raise Refused(
                "checkout-in-the-way",
                f"{path} in {checkout.path} is not in git, and {name} would get a file there",
                fix=(f"move it away: mv {checkout.path / path} ...",),
            )
        _require_dry_run(repository, checkout, name, old, new)


def fast_forward(repository: Repository, branch: Ref, old: Oid, new: Oid) -> list[str]:
    """Update the checkouts of a branch that has moved from `old` to `new`, as `git merge --ff-only` does.

    It can be repeated after an interruption at any point. Files that were edited meanwhile stay as they are; returns
    their paths. A checkout that has left the branch since is not touched.
    """
    edited: list[str] = []
    for checkout, head in _all(repository):
        if head != branch or repository.read_ref(branch) != new:
            continue
        # a file that was touched and not changed would look changed to read-tree
        checkout.git(repository, "update-index", "-q", "--refresh", ok=(0, 1, 128))
        answer = checkout.git(repository, "read-tree", "-m", "-u", old, new, ok=(0, 1, 128))
        if answer.code != 0:
            edited += [str(checkout.path / path) for path in _update_by_path(repository, checkout, old, new)]
    return edited


def _all(repository: Repository) -> Iterator[tuple[Worktree, Ref | None]]:
    """Yield the user's own work tree and every linked one, each with its branch.

    HEAD may name a symbolic branch: git lists the branch at its end, which is the one that moves.
    """
    main, *linked = list_entries(repository)
    if repository.work_tree is not None:
        yield Worktree(repository.work_tree, repository.common_dir), main.branch
    for entry in linked:
        if (worktree := find(repository, entry.path)) is not None:
            yield worktree, entry.branch


def _require_present(repository: Repository, branch: Ref) -> None:
    """Raise `Refused` if a locked checkout of a branch is not there: it could not follow when its disk comes back."""
    name = branch.removeprefix("refs/heads/")
    for entry in list_entries(repository)[1:]:
        if entry.branch == branch and entry.is_locked and not entry.path.exists():
            raise Refused(
                "checked-out",
                f"{name} is checked out in {entry.path}, which is locked and not there now",
                fix=(
                    "attach the disk that it is on",
                    f"or, if it is gone for good: git worktree unlock {shlex.quote(str(entry.path))}",
                ),
            )


def _suspended_branch(checkout: Worktree) -> str:
    """Return the branch to which a rebase or a bisect will return."""
    for name in ("rebase-merge/head-name", "rebase-apply/head-name"):
        if branch := read_text(checkout.admin / name):
            return branch
    start = read_text(checkout.admin / "BISECT_START")
    return f"refs/heads/{start}" if start else ""


def _dirty(repository: Repository, checkout: Worktree) -> list[str]:
    options = ("--porcelain=v2", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=dirty")
    entries = checkout.git(repository, "status", *options, env={"GIT_OPTIONAL_LOCKS": "0"}).fields()
    unchanged = untouched.find(repository, checkout, entries, {}) if entries else ()
    return [path for entry in entries if (path := worktree_status.entry_path(entry)) not in unchanged]


def _untracked_obstacles(repository: Repository, checkout: Worktree, old: Oid, new: Oid) -> Iterator[str]:
    """Yield untracked files where a file would be written; git itself overwrites them if they are ignored."""
    changes = _changes(repository, old, new)
    removed = {path for path, status in changes.items() if status in "DT"}
    for path in (path for path, status in changes.items() if status == "A"):
        yield from _obstacles(checkout.path, path, removed)


def _obstacles(top: Path, path: str, removed: Collection[str]) -> Iterator[str]:
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        target = top / name
        if not os.path.lexists(target):
            return
        if target.is_dir() and not target.is_symlink():
            if depth == len(parts):
                files = (file.relative_to(top).as_posix() for file in target.rglob("*") if not file.is_dir())
                yield from (file for file in files if file not in removed)
        elif name not in removed:
            yield name
            return


def _require_dry_run(repository: Repository, checkout: Worktree, name: str, old: Oid, new: Oid) -> None:
    if old == new:
        return
    try:
        # with a copy of the index, so that a killed git leaves no lock in the user's checkout
        with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
            env = {"GIT_INDEX_FILE": str(shutil.copy(checkout.admin / "index", folder))}
            checkout.git(repository, "update-index", "-q", "--refresh", env=env, ok=(0, 1))
            checkout.git(repository, "read-tree", "-n", "-m", "-u", old, new, env=env)
    except GitFailed as error:
        raise Refused(
            "checkout-stuck",
            f"{name} is checked out in {checkout.path}, and git cannot bring its files along",
            why=error.why,
            fix=_shown_again(repository, checkout, old, new) or (f"git -C {checkout.path} status",),
        ) from error


def _shown_again(repository: Repository, checkout: Worktree, old: Oid, new: Oid) -> tuple[str, ...]:
    """Return the commands that make git look at the changed files again which its index passes over."""
    flagged, changes = read_flags(repository, checkout), _changes(repository, old, new)
    hidden = {"--no-assume-unchanged": flagged.assumed, "--no-skip-worktree": flagged.skipped}
    commands = []
    for option, paths in hidden.items():
        if words := shlex.join(sorted(changes.keys() & {*paths})):
            commands.append(f"git -C {shlex.quote(str(checkout.path))} update-index {option} -- {words}")
    return tuple(commands)


def _changes(repository: Repository, old: Oid, new: Oid) -> dict[str, str]:
    fields = repository.git("diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new).fields()
    return dict(zip(fields[1::2], fields[::2], strict=True))


def _update_by_path(repository: Repository, checkout: Worktree, old: Oid, new: Oid) -> list[str]:
    """Finish a `read-tree` that was killed, file by file; return the files that were edited, which stay as they are.

    The checkout was clean when it started, so a file has its old content, its new content, or the start of that.
    """
    lockfiles.remove_stale_index_lock(repository, checkout.admin / "index.lock")
    paths = list(_changes(repository, old, new))
    edited = [path for path in paths if _is_edited(repository, checkout, path, old, new)]
    _restore(repository, checkout, new, [path for path in paths if path not in edited], "--worktree")
    _restore(repository, checkout, new, edited)
    return edited


def _is_edited(repository: Repository, checkout: Worktree, path: str, old: Oid, new: Oid) -> bool:
    file = checkout.path / path
    if file.is_symlink():
        content = os.fsencode(file.readlink())
    elif file.is_file():
        content = file.read_bytes()
    else:
        return file.is_dir() and any(file.iterdir())
    target = _checked_out_content(repository, checkout, new, path)
    if target is not None and target.startswith(content):
        return False
    return content != _checked_out_content(repository, checkout, old, path)


def _checked_out_content(repository: Repository, checkout: Worktree, commit: Oid, path: str) -> bytes | None:
    """Return the content with which a file is checked out; None if the commit has no such file."""
    answer = checkout.git(repository, "cat-file", "--filters", f"{commit}:{path}", ok=(0, 128))
    return answer.stdout if answer.code == 0 else None


def _restore(repository: Repository, checkout: Worktree, commit: Oid, paths: Sequence[str], *options: str) -> None:
    if not paths:
        return
    checkout.git(
        repository,
        *("restore", f"--source={commit}", "--staged", *options, "--pathspec-from-file=-", "--pathspec-file-nul"),
        input=b"\0".join(map(os.fsencode, paths)),
        env=_LITERAL,
    )
