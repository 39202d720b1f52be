"""What properties of histories start from: a repository with nothing in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from tests.support.git import git


@pytest.fixture
def empty(tmp_path: Path) -> Repository:
    """A repository without a commit."""
    return empty_repository(tmp_path / "repo")


@pytest.fixture
def empties(tmp_path: Path) -> Iterator[Repository]:
    """Repositories without a commit, as many as are asked for."""
    return (empty_repository(tmp_path / f"repo-{number}") for number in itertools.count())


def empty_repository(folder: Path) -> Repository:
    folder.mkdir()
    git("-c", "init.templateDir=", "init", "--quiet", cwd=folder)
    with (folder / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write("[gc]\n\tauto = 0\n")  # whatever has no ref is still needed
    return Repository.discover(folder)
