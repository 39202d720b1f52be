"""Lock files that a killed git process of gitorch left: how they differ from those of a running git, and their removal.

git's lock is an empty file that does not say who holds it. The lock of a ref is ours if an interrupted operation moved
that ref. `packed-refs.lock` is one for the whole repository. To delete refs, git takes it after the locks of these refs
and releases it before them. So it is ours if a ref that only we delete is locked, and was locked just before. What the
user's own git could hold is left alone while one is running in the repository.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from pathlib import Path

from gitorch.errors import GitorchError, Refused
from gitorch.git.repository import Repository
from gitorch.model.naming import OWN_REFS, Ref
from gitorch.model.refs import RefUpdate

SCRATCH = Ref(f"{OWN_REFS}building")
"""The ref under which notes are built: written and deleted within one process."""

_HEAD = Ref("HEAD")
_SAME_MOMENT_SECONDS = 5.0
"""How much later than the lock of a ref `packed-refs.lock` may be: git waits up to a second for it."""


def may_be_stale(repository: Repository) -> bool:
    """Return whether building notes may have left a lock on packed refs; looks at two files only."""
    return _packed_refs_lock(repository).exists() and _ref_lock(repository, SCRATCH).exists()


def remove_stale(
    repository: Repository, refs: Iterable[Ref], *, deleted: Collection[Ref] = (), users: Collection[Ref] = ()
) -> None:
    """Remove the locks of a gitorch git process that was killed while it moved `refs`.

    `deleted` are the refs that it deleted, `users` those that the user's own git may move as well. Call it with the
    lock held under which these refs move, so that no running git process of gitorch has them locked. Raises `Refused`
    if a running git may hold one of the locks.
    """
    names = list(refs)
    if _current_branch(repository) in names:
        names.append(_HEAD)
    ref_locks = {ref: lock for ref in names if (lock := _ref_lock(repository, ref)).exists()}
    shared = [lock for ref, lock in ref_locks.items() if ref in users or ref == _HEAD]
    packed = _packed_refs_lock(repository)
    if any(_in_same_moment(ref_locks[ref], packed) for ref in deleted if ref in ref_locks):
        # only the holder of the lock writes the new file, so that it is stale as well
        shared += [packed.with_name("packed-refs.new"), packed]
    if shared and _is_git_running(repository):
        raise _locked(next((lock for lock in shared if lock.exists()), shared[0]))
    # the locks that show who holds the others are removed last
    repository.remove_stale_locks(*shared, *(lock for lock in ref_locks.values() if lock not in shared))


def remove_stale_index_lock(repository: Repository, lock: Path) -> None:
    """Remove the index lock that a killed git process of gitorch may have left in one of the user's checkouts.

    A running `git commit` holds it while the editor is open: raises `Refused` if a git is running.
    """
    if lock.exists() and _is_git_running(repository):
        raise _locked(lock)
    repository.remove_stale_locks(lock)


def require_no_lock(lock: Path) -> None:
    """Raise `Refused` if a lock file exists: a program that is no git, such as an editor, may hold it as well."""
    if lock.exists():
        raise _locked(lock)


def explain(
    repository: Repository, error: GitorchError, updates: Iterable[RefUpdate], users: Collection[Ref]
) -> GitorchError:
    """Return the error for refs that could not be updated; it names the lock file if one may be the user's."""
    locks = [_packed_refs_lock(repository)] if any(update.new is None for update in updates) else []
    locks += [_ref_lock(repository, ref) for ref in ((_HEAD, *users) if users else ())]
    lock = next((lock for lock in locks if lock.exists()), None)
    return error if lock is None else _locked(lock)


def _is_git_running(repository: Repository) -> bool:
    # psutil takes 25 ms to import, and is needed only if a lock file exists
    from gitorch.git.running import is_git_running

    return is_git_running(repository)


def _locked(lock: Path) -> Refused:
    return Refused(
        "refs-locked",
        f"git is locked by {lock}",
        why="a running git process or an editor holds it, or a killed one left it behind",
        fix=("ps -e | grep git", f"rm {shlex.quote(str(lock))}"),
    )


def _packed_refs_lock(repository: Repository) -> Path:
    return repository.common_dir / "packed-refs.lock"


def _ref_lock(repository: Repository, ref: Ref) -> Path:
    return repository.common_dir / f"{ref}.lock"


def _current_branch(repository: Repository) -> str:
    return repository.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text


def _in_same_moment(first: Path, second: Path) -> bool:
    """Return whether the second lock was made just after the first."""
    try:
        return 0 <= second.stat().st_mtime - first.stat().st_mtime <= _SAME_MOMENT_SECONDS
    except FileNotFoundError:
        return False
