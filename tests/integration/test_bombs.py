"""What git could not hold, or not read in a night, is named within moments."""

from __future__ import annotations

import os

import pytest

from gitorch.errors import Refused
from gitorch.git import fence, worktrees
from gitorch.git.collect import Rejected, collect
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, branch_ref
from tests.support.git import git


def added(repo: Repository) -> Worktree:
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return worktrees.add(repo, repo.work_tree.parent / "trees" / "t", "orch/t", "test")


@pytest.mark.parametrize("make", ["huge", "tracked fifo"])
def test_what_git_could_not_hold(repo: Repository, make: str) -> None:
    """A huge file, or a FIFO in the place of a tracked file, is named within moments, and not read."""
    worktree = added(repo)
    base = Oid(git("rev-parse", "main", cwd=worktree.path))
    if make == "huge":
        with (worktree.path / "sparse").open("wb") as file:
            file.truncate(20 << 30)
    else:
        (worktree.path / "README.md").unlink()
        os.mkfifo(worktree.path / "README.md")
    result = collect(repo, worktree, branch=branch_ref("orch/t"), base=base, message="m")
    assert isinstance(result, Rejected)
    assert ("sparse has 20480 MB" if make == "huge" else "README.md is neither") in result.reason


def test_a_tree_bomb(repo: Repository) -> None:
    """A commit that stands for ten million files is refused by its counts: git never compares it with anything."""
    worktree = added(repo)
    base = Oid(git("rev-parse", "main", cwd=worktree.path))
    blob = repo.git("hash-object", "-w", "--stdin", input=b"x").text
    lines = "".join(f"100644 blob {blob}\tf{number}\n" for number in range(10))
    tree = repo.git("mktree", input=lines.encode()).text
    for _ in range(6):
        lines = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        tree = repo.git("mktree", input=lines.encode()).text
    bomb = git("commit-tree", tree, "-p", "HEAD", "-m", "bomb", cwd=worktree.path)
    git("update-ref", "refs/heads/orch/t", bomb, cwd=worktree.path)
    result = collect(repo, worktree, branch=branch_ref("orch/t"), base=base, message="m")
    assert isinstance(result, Rejected)
    assert "a tree stands for" in result.reason
    assert "a tree stands for" in fence.checkout(repo, worktree.path, worktree.admin)["files"]
    with pytest.raises(Refused, match="cannot be read"):
        worktrees.rescue(repo, worktree, branch_ref("r"), "m")
