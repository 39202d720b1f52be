"""Where a linked worktree's `.git` file leads: to its own git folder, or for a while to another repository."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from gitorch.errors import Refused
from gitorch.git.opened_worktree import opened

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def point(path: Path, admin: Path, target: Path, aside: Path) -> None:
    """Let a worktree's `.git` file name a git folder. A folder in its place is moved to `aside`, which holds others.

    Raises `WorktreeReplaced` if the worktree is not the one of `admin`, and `Refused` if its `.git` cannot be replaced.
    """
    with opened(path, admin) as folder:
        fresh = f".git-{uuid.uuid4().hex}"
        with os.fdopen(os.open(fresh, _FLAGS, 0o644, dir_fd=folder), "wb") as file:
            file.write(os.fsencode(f"gitdir: {target}\n"))
        try:
            try:
                os.rename(fresh, ".git", src_dir_fd=folder, dst_dir_fd=folder)
            except IsADirectoryError:
                aside.mkdir(parents=True, exist_ok=True)
                os.rename(".git", aside / f"git-{uuid.uuid4().hex}", src_dir_fd=folder)
                os.rename(fresh, ".git", src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            os.unlink(fresh, dir_fd=folder)
            raise Refused(
                "worktree-git-file",
                f"the .git of {path} cannot be replaced: {error.strerror}",
                why="an agent put a folder in its place",
                fix=(f"mv {path / '.git'} ...",),
            ) from error
