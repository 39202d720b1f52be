"""Create a repository with its first commit: the one place that uses GitPython.

Its `Repo` and dynamic commands suit a few calls on a fresh repository. Everything else goes through `GitRunner`,
because GitPython takes longer to import than `orchestrate status` takes in all, keeps helper processes for objects, and
cannot read SHA-256 repositories.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import git

from gitorch.git.repository import clear_local_variables


def create(folder: Path, message: str, environment: Mapping[str, str]) -> None:
    """Make a repository of a folder, on the branch `main`, and commit all files that are not ignored.

    git gets `environment` on top of this process's own: it must name an author and committer.
    """
    clear_local_variables()
    command = git.Git(folder)
    command.update_environment(**environment)
    command.init(quiet=True, initial_branch="main")
    with git.Repo(folder) as repository:
        repository.git.update_environment(**environment)
        repository.git.add(all=True)
        repository.git.commit(quiet=True, message=message)
