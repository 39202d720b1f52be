"""How an agent's commits come home: what its worktree holds passes a gate and moves its branch, in one function."""

from __future__ import annotations

import msgspec

from gitorch.git import index_flags, worktrees
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt's work, on its branch: the tip, its tree, and how many own commits it has.

    `completed` tells that gitorch committed files which the agent had left uncommitted.
    """

    tip: Oid
    tree: Oid
    commits: int
    completed: bool


class NoChanges(msgspec.Struct, frozen=True):
    """The agent changed nothing."""


class Rejected(msgspec.Struct, frozen=True):
    """What the worktree holds does not pass the gate; it stays where it is. `reason` is for the user."""

    reason: str


Homecoming = Collected | NoChanges | Rejected

_IN_PROGRESS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


def collect(repository: Repository, worktree: Worktree, *, branch: Ref, base: Oid, message: str) -> Homecoming:
    """Bring what an attempt's worktree holds onto its branch.

    Uncommitted files are committed with `message` (agents forget), hidden from git or not. The gate: no operation half
    done, no repository inside, the branch still the task's own, its tip a descendant of `base`.
    """
    for name, operation in _IN_PROGRESS.items():
        if (worktree.admin / name).exists():
            return Rejected(f"a {operation} was left half done in the worktree")
    worktrees.unlock(repository, worktree, branch)
    seen = worktrees.look(repository, worktree)
    if seen.branch is not None and f"refs/heads/{seen.branch}" != branch:
        return Rejected(f"the worktree was switched to another branch: {seen.branch}")
    if seen.dirt.nested:
        return Rejected(f"there is a git repository inside the worktree: {seen.dirt.nested[0]}")
    if seen.dirt:
        index_flags.stage(repository, worktree, seen.dirt)
        _commit(repository, worktree, message)
    tip = seen.tip
    if seen.dirt or tip is None:
        tip = Oid(worktree.git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1, 128)).text)
    if not tip:
        return Rejected("the task's branch has no commit any more")
    if link := _bare_link(repository, worktree, base, tip):
        return Rejected(f"there is a git repository inside the worktree: {link}")
    if seen.hidden.absent:  # checks judge the files here: what was hidden and taken away is in the tip all the same
        index_flags.bring_back(repository, worktree)
    return _admit(repository, tip, branch, base, completed=bool(seen.dirt))


def _bare_link(repository: Repository, worktree: Worktree, base: Oid, tip: Oid) -> str:
    """Return a repository inside that was committed as a link: its commits and files are in no other place."""
    fields = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", base, tip).fields()
    changes = zip(fields[::2], fields[1::2], strict=True)
    links = (path for change, path in changes if change.split()[1] == "160000")
    # a real submodule's `.git` is a file
    return next((path for path in links if (worktree.path / path / ".git").is_dir()), "")


def _commit(repository: Repository, worktree: Worktree, message: str) -> None:
    # from a file: a git that outlives us would take a pipe that ends early for the whole message
    words = worktree.admin / "gitorch-message"
    words.write_bytes(message.encode())
    options = ("--quiet", "--no-verify", "--cleanup=verbatim", "--allow-empty-message", f"--file={words}")
    # 1: all that was staged turned out to be no change
    worktree.git(repository, "commit", *options, env=repository.identity(), ok=(0, 1))
    words.unlink()


def _admit(repository: Repository, tip: Oid, branch: Ref, base: Oid, *, completed: bool) -> Homecoming:
    counts = repository.git("rev-list", "--left-right", "--count", f"{base}...{tip}").text
    behind, own = map(int, counts.split())
    if behind:
        return Rejected("the history before the task's base was rewritten")
    tree, base_tree, at = repository.object_ids(f"{tip}^{{tree}}", f"{base}^{{tree}}", branch)
    if own == 0 or tree == base_tree:
        return NoChanges()
    if at != tip:
        if at is not None and not repository.is_ancestor(at, tip):
            return Rejected("the worktree's commits do not build on the task's branch")
        # the agent worked on a detached HEAD
        repository.update_refs([RefUpdate(branch, tip, at)], "collect an attempt's commits")
    assert tree is not None
    return Collected(tip=tip, tree=tree, commits=own, completed=completed)
