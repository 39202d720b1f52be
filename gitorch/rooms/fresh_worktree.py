"""The linked worktree of an attempt, on the commit that the attempt starts on."""

from __future__ import annotations

import shlex

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import place_of
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model import naming
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.rooms.protocol import RoomError, RoomSpec


def fresh_worktree(repository: Repository, spec: RoomSpec) -> Worktree:
    """Bring the branch to where the attempt starts, and make its worktree; keep what an earlier attempt made.

    Raises `RoomError` when the branch exists and is not the task's, or is checked out elsewhere.
    """
    ref = branch_ref(spec.branch)
    branch_tip = repository.read_ref(ref)
    start = _start(repository, spec, branch_tip)
    if branch_tip is None:
        repository.update_refs([RefUpdate(ref, start, None)], f"start {spec.task}")
    elif spec.attempt == 1 and branch_tip != start:
        raise RoomError(f"branch {spec.branch} already exists and does not belong to this task")
    worktree = linked_worktrees.find(repository, spec.directory)
    if spec.attempt > 1:
        # a fresh attempt finds nothing of the one before: no ignored file, no repository, no link
        message = f"uncommitted files of {spec.task}"
        linked_worktrees.take_away(repository, spec.directory, naming.rescue_ref(spec.task), message)
        if (
            other := linked_worktrees.own_worktree_of(repository, ref)
        ) is not None:  # made before the repository was moved
            linked_worktrees.take_away(repository, other, naming.rescue_ref(spec.task), message)
    elif worktree is not None and _is_complete(worktree):
        linked_worktrees.remove_stale_locks(repository, worktree, ref)
        linked_worktrees.rescue(repository, worktree, naming.rescue_ref(spec.task), f"uncommitted files of {spec.task}")
        linked_worktrees.restore(repository, worktree, branch=spec.branch, commit=start)
        return worktree
    elif worktree is not None:
        linked_worktrees.discard_unfinished(repository, spec.directory)
    if branch_tip is not None:
        _require_free(repository, spec, ref)
    _keep_earlier(repository, spec, branch_tip)
    if branch_tip not in (None, start):
        repository.update_refs([RefUpdate(ref, start, branch_tip)], f"start {spec.task} afresh")
    return linked_worktrees.add(repository, spec.directory, spec.branch, f"gitorch {spec.task}", new=branch_tip is None)


def _start(repository: Repository, spec: RoomSpec, branch_tip: Oid | None) -> Oid:
    """Return the commit that an attempt starts on: a person may have gone on with the branch by hand."""
    if branch_tip is not None and spec.tip is not None and repository.is_ancestor(spec.tip, branch_tip):
        return branch_tip
    return spec.tip or spec.base


def _require_free(repository: Repository, spec: RoomSpec, branch: Ref) -> None:
    """Raise `RoomError` if a person has the branch checked out: their files would not follow it."""
    place = place_of(repository, branch)
    if place is not None and place != spec.directory:
        leave = shlex.join(["git", "-C", str(place), "switch", "--detach"])
        raise RoomError(f"{spec.branch} is checked out in {place}: check out something else there ({leave})")


def _is_complete(worktree: Worktree) -> bool:
    return (worktree.admin / "index").exists() and not (worktree.admin / "index.lock").exists()


def _keep_earlier(repository: Repository, spec: RoomSpec, tip: Oid | None) -> None:
    """Keep the tip of the attempt before under its own ref."""
    if tip is None or spec.attempt < 2:
        return
    ref = naming.attempt_ref(spec.task, spec.attempt - 1)
    if repository.read_ref(ref) is None:
        repository.update_refs([RefUpdate(ref, tip, None)], f"keep attempt {spec.attempt - 1} of {spec.task}")
