"""Ignored files that a program has written in a worktree, which no commit of it contains."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import Worktree

MOST_ENTRIES = 20_000
"""How many files and folders inside of ignored folders are looked at."""

_IGNORED = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")


def ignored_since(repository: Repository, worktree: Worktree, time_ns: int) -> list[str]:
    """Return the ignored paths that changed after a time (Unix nanoseconds); folders end with a slash.

    The change time counts, which no program can set.
    """
    budget = iter(range(MOST_ENTRIES))
    return [
        path
        for path in worktree.git(repository, *_IGNORED).fields()
        if any(status.st_ctime_ns > time_ns for status in _statuses(f"{worktree.path}/{path}", budget))
    ]


def _statuses(path: str, budget: Iterator[int]) -> Iterator[os.stat_result]:
    """Yield the status of a path, and of what is in it, as long as the budget lasts; links are not followed."""
    try:
        yield os.lstat(path.rstrip("/"))
    except OSError:  # it has just been removed
        return
    for folder, folders, files in os.walk(path) if path.endswith("/") else ():
        for name in (*folders, *files):
            if next(budget, None) is None:
                return
            try:
                yield os.lstat(f"{folder}/{name}")
            except OSError:
                continue
