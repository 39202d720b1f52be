"""What properties of histories start from: a repository with nothing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from tests.support.git import git


@pytest.fixture
def empty(tmp_path: Path) -> Repository:
    """A repository without a commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    return Repository.discover(folder)
