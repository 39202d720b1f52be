"""Locks that a killed git of ours has left: told from those of a git that lives, and removed.

A lock of git's is an empty file, closed once it is made: it does not say whose it is. The lock of a ref is ours where
an operation that was cut short moved that ref. `packed-refs.lock` is one for the whole repository; git takes it to
delete refs, after the locks of these refs, and gives it back before them. So it is ours where a ref that nobody else
deletes is locked, and was in the very same moment. What the user's own git could hold is left alone while one is at
work in the repository.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.errors import GitorchError, Refused
from gitorch.git.repository import Repository
from gitorch.model.naming import OWN_REFS, Ref
from gitorch.model.refs import RefUpdate

if TYPE_CHECKING:
    import psutil

SCRATCH = Ref(f"{OWN_REFS}building")
"""The ref under which notes are built: written and deleted within one process."""

_HEAD = Ref("HEAD")
_MOMENT_SECONDS = 5.0
"""git waits a second for the lock on packed refs."""

_READERS = ("cat-file", "merge-tree", "diff-tree", "log", "show", "diff", "blame", "grep")
"""What lives long and takes no lock: what a command of ours keeps open, and what a person reads in a pager."""
_WITH_VALUE = ("-C", "-c", "--git-dir", "--work-tree", "--namespace")


def suspected(repository: Repository) -> bool:
    """Tell, with a look at two files, whether building notes may have left a lock on packed refs."""
    return _packed(repository).exists() and _lock(repository, SCRATCH).exists()


def release(
    repository: Repository, refs: Iterable[Ref], *, deleted: Collection[Ref] = (), users: Collection[Ref] = ()
) -> None:
    """Remove the locks that a git of ours left which was killed while it moved `refs`.

    `deleted` are those of them that it was to delete, `users` those that the user's own git may move, too. Call in
    turn: no git of ours that would hold them is at work. Raises `Refused` where one of them may be held by a git that
    lives.
    """
    names = list(refs)
    if _checked_out(repository) in names:
        names.append(_HEAD)
    left = {ref: lock for ref in names if (lock := _lock(repository, ref)).exists()}
    shared = [lock for ref, lock in left.items() if ref in users or ref == _HEAD]
    packed = _packed(repository)
    if any(_in_one_moment(left[ref], packed) for ref in deleted if ref in left):
        # what was being written is in the way, too, and is only written by who holds the lock
        shared += [packed.with_name("packed-refs.new"), packed]
    if shared and _git_lives(repository):
        raise _locked(next((lock for lock in shared if lock.exists()), shared[0]))
    # the last ones to go are those that tell whose the others are
    repository.remove_stale_locks(*shared, *(lock for lock in left.values() if lock not in shared))


def release_index(repository: Repository, lock: Path) -> None:
    """Remove the lock on the index of a user's checkout, which a killed git of ours may have left.

    A `git commit -a` of theirs holds it for as long as its editor is open: raises `Refused` while a git is at work.
    """
    if lock.exists() and _git_lives(repository):
        raise _locked(lock)
    repository.remove_stale_locks(lock)


def explained(
    repository: Repository, error: GitorchError, moves: Iterable[RefUpdate], users: Collection[Ref]
) -> GitorchError:
    """Return the error for moves that failed: where a lock that may be the user's is in the way, it names the file."""
    places = [_packed(repository)] if any(move.new is None for move in moves) else []
    places += [_lock(repository, ref) for ref in ((_HEAD, *users) if users else ())]
    lock = next((place for place in places if place.exists()), None)
    return error if lock is None else _locked(lock)


def _locked(lock: Path) -> Refused:
    return Refused(
        "refs-locked",
        f"a lock of git's is in the way: {lock}",
        why="a git that is at work here holds it; or, where there is none, one that was killed has left it",
        fix=("ps -e | grep git", f"rm {shlex.quote(str(lock))}"),
    )


def _packed(repository: Repository) -> Path:
    return repository.common_dir / "packed-refs.lock"


def _lock(repository: Repository, ref: Ref) -> Path:
    return repository.common_dir / f"{ref}.lock"


def _checked_out(repository: Repository) -> str:
    return repository.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text


def _in_one_moment(witness: Path, lock: Path) -> bool:
    """Tell whether a lock was made just after another one."""
    try:
        return 0 <= lock.stat().st_mtime - witness.stat().st_mtime <= _MOMENT_SECONDS
    except FileNotFoundError:
        return False


def _git_lives(repository: Repository) -> bool:
    """Tell whether a git is at work in this repository that may hold a lock, as far as can be seen."""
    import psutil

    listing = repository.git("worktree", "list", "--porcelain", "-z").fields()
    places = {os.path.realpath(line[9:]) for line in listing if line.startswith("worktree ")}
    places.add(os.path.realpath(repository.common_dir))
    return any(_is_at_work(process, sorted(places)) for process in psutil.process_iter())


def _is_at_work(process: psutil.Process, places: Sequence[str]) -> bool:
    import psutil

    try:
        if not process.name().startswith("git") or process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = process.cmdline()
        if _command(words) in _READERS:
            return False
        told = (process.cwd(), *words, process.environ().get("GIT_DIR", ""))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # somebody else's, who knows where
    return any(_is_below(word, place) for word in told for place in places)


def _command(words: Sequence[str]) -> str:
    """Return the sub-command of a git command line."""
    rest = iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _is_below(word: str, place: str) -> bool:
    path = word.partition("=")[2] if word.startswith("--") else word
    return path == place or path.startswith(f"{place}{os.sep}")
