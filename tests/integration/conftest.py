"""Worktrees: a task's beside the standard repository, and one for the `api` agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid
from tests.support.api import Place
from tests.support.git import git


@pytest.fixture
def worktree(repo: Repository) -> Worktree:
    """The worktree of the task `t`, on its branch."""
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return linked_worktrees.add(repo, repo.work_tree.parent / "t", "orch/t", "test")


@pytest.fixture
def base(repo: Repository) -> Oid:
    """The commit that it starts on."""
    found = repo.resolve("main")
    assert found is not None
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A repository and a worktree for the `api` agent."""
    return Place(tmp_path)
