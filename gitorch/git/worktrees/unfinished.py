"""Notice that a worktree is being added: until it has a HEAD, git cannot walk the repository's refs."""

from __future__ import annotations

import time
from collections.abc import Callable

from gitorch.git.repository import Output, Repository
from gitorch.storage import atomic

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between the tries."""


def retried(repository: Repository, command: Callable[[], Output]) -> Output:
    """Run a command that walks all refs, again while its failure may be due to an unfinished worktree.

    `git worktree add` first writes a HEAD that names no object. A `git fetch`, `git rev-list --all` or `git repack`
    that reads it in this moment ends with "bad object worktrees/NAME/HEAD", whoever adds the worktree.
    """
    for pause in _PAUSES:
        before = _heads(repository)
        output = command()
        finished = all(head.strip(b"0\n") for head in before.values())
        if output.code == 0 or (finished and _heads(repository) == before):
            return output
        time.sleep(pause)
    return command()


def _heads(repository: Repository) -> dict[str, bytes]:
    """Return what the HEAD of each linked worktree holds; nothing for one that has none yet."""
    folder = repository.common_dir / "worktrees"
    heads = [admin / "HEAD" for admin in folder.iterdir()] if folder.is_dir() else []
    # an agent without a box can put a pipe there, and reading it would not end
    return {head.parent.name: atomic.read_or_empty(head) if head.is_file() else b"" for head in heads}
