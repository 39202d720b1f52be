"""Where worktrees belong."""

from __future__ import annotations

import os
from pathlib import Path

from gitorch.config import FILE, Config
from gitorch.errors import Refused
from gitorch.git.repository import Repository


def worktree_path(repository: Repository, config: Config, task: str) -> Path:
    """Return where a task's worktree belongs: the template, relative to the repository's top folder.

    In a submodule it is relative to the outermost superproject, where it would be inside of that one otherwise.
    """
    top = repository.work_tree or repository.common_dir
    name = top.name.removesuffix(".git")
    if top.name in (".bare", ".git"):  # a bare repository in the folder of its worktrees
        name = top.parent.name
    name = name or "repository"
    path = _filled_in(config.worktrees, top, name, task)
    outer = repository.superproject
    if outer is not None and path.is_relative_to(outer):
        path = _filled_in(config.worktrees, outer, ".".join((outer.name, *top.relative_to(outer).parts)), task)
    return path


def require_outside(repository: Repository, config: Config) -> None:
    """Raise `Refused` if worktrees would be inside the user's work tree, or inside the git folder."""
    path = worktree_path(repository, config, "task")
    for top in filter(None, (repository.work_tree, repository.common_dir)):
        if path.is_relative_to(top):
            raise Refused(
                "worktrees-inside",
                f'worktrees = "{config.worktrees}" puts worktrees inside {top}',
                why="git status would show them, and searches, checks and editors would find every file twice",
                fix=(f'add to {FILE}: worktrees = "../{{repo}}.orch/{{task}}"',),
            )


def _filled_in(template: str, top: Path, name: str, task: str) -> Path:
    relative = template.replace("{repo}", name).replace("{task}", task)
    return Path(os.path.normpath(top / Path(relative).expanduser()))
