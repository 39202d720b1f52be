"""A task's worktree beside the standard repository."""

from __future__ import annotations

import pytest

from gitorch.git import worktrees
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid
from tests.support.git import git


@pytest.fixture
def worktree(repo: Repository) -> Worktree:
    """The worktree of the task `t`, on its branch."""
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return worktrees.add(repo, repo.work_tree.parent / "t", "orch/t", "test")


@pytest.fixture
def base(repo: Repository) -> Oid:
    """The commit that it starts on."""
    found = repo.resolve("main")
    assert found is not None
    return found
