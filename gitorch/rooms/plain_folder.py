"""A folder with a tree in it, no agent and no sandbox: where checks run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model import naming
from gitorch.rooms.environment_variables import without_credentials
from gitorch.rooms.protocol import Command


class PlainFolder(msgspec.Struct, frozen=True):
    """A `Site` whose commands run as they are, in the folder, with one environment."""

    directory: Path
    env: Mapping[str, str]

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return the command without credentials."""
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def in_folder(self, folder: Path) -> PlainFolder:
        """Return the same site, with another folder as the working folder."""
        return PlainFolder(folder, self.env)


def fenced_folder(
    repository: Repository,
    worktree: Worktree,
    env: Mapping[str, str],
    *,
    name: str,
    own: Path,
    hooks: Path,
    git_dir: Path | None = None,
) -> PlainFolder:
    """Return a worktree in which `hooks` keep git from moving a ref, except in other repositories.

    `own` is gitorch's folder for the worktree of this `name`; `git_dir` a private repository in front of it, or None.
    """
    own.mkdir(parents=True, exist_ok=True)
    variables = ref_guard.environment(
        hooks=hooks,
        user_hooks=Path(os.path.normpath(ref_guard.user_hooks(repository, worktree.path))),
        git_dir=git_dir or worktree.admin,
        common_dir=git_dir or repository.common_dir,
        branch=naming.check_ref(name),
        task=name,
        agent="",
        alarm=own / "alarms",
        safe_folders=ref_guard.safe_folders(repository),
    )
    return PlainFolder(worktree.path, {**repository.identity(), **env, **variables})
