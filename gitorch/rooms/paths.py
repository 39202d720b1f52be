"""Where worktrees belong."""

from __future__ import annotations

import os
from pathlib import Path

from gitorch.config import Config
from gitorch.git.repository import Repository


def worktree_path(repository: Repository, config: Config, task: str) -> Path:
    """Return where a task's worktree belongs: the template, relative to the repository's top folder."""
    top = repository.work_tree or repository.common_dir
    name = top.name.removesuffix(".git")
    if top.name in (".bare", ".git"):  # a bare repository in the folder of its worktrees
        name = top.parent.name
    name = name or "repository"
    relative = config.worktrees.replace("{repo}", name).replace("{task}", task)
    return Path(os.path.normpath(top / Path(relative).expanduser()))
