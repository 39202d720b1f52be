"""The worktrees in which trees are checked: created once, reset and cleaned for each tree, locked across processes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

from gitorch.git import index_flags, worktrees
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.rooms.context import RunContext
from gitorch.rooms.paths import worktree_path
from gitorch.storage import locks

_REASON = "gitorch checks merged trees here"


class WorktreePool:
    """A few worktrees, each used for one tree at a time, by any thread or process."""

    def __init__(self, context: RunContext, names: Sequence[str]) -> None:
        self.context = context
        self.names = names
        self.folder = context.folder / "slots"

    @contextmanager
    def acquire(self) -> Iterator[PooledWorktree]:
        """Hold a free worktree; wait for the first one if all are in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {name: stack.enter_context((self.folder / f"{name}.lock").open("a+")) for name in self.names}
            name = next((name for name, file in files.items() if locks.try_lock(file)), None)
            if name is None:
                name = self.names[0]
                fcntl.flock(files[name], fcntl.LOCK_EX)
            worktree = PooledWorktree(self.context, name, files[name])
            worktree.end_leftovers()
            yield worktree


class PooledWorktree:
    """One worktree of the pool, locked by its user."""

    key: str

    def __init__(self, context: RunContext, name: str, record: IO[str]) -> None:
        self.context = context
        self.name = name
        self.record = record

    def record_key(self, key: str) -> None:
        """Record the prefix of the execution keys in this worktree, so that they can be ended after a crash."""
        self.key = key
        self.record.truncate(0)
        self.record.write(key)
        self.record.flush()

    def end_leftovers(self) -> None:
        """End the executions that a killed process left running here: the tree is about to change."""
        self.record.seek(0)
        if key := self.record.read():
            for execution in self.context.executor.adopt(key):
                self.context.executor.cancel(execution, "its merge was killed", now=True)
                self.context.executor.wait(execution)

    def checkout(self, commit: Oid) -> Worktree:
        """Check out a commit, and remove everything else from the worktree."""
        repository = self.context.repository
        path = worktree_path(repository, self.context.config, self.name)
        worktree = worktrees.find(repository, path)
        if worktree is None:
            worktrees.discard_unfinished(repository, path)
            worktree = worktrees.add(repository, path, commit, _REASON)
        repository.remove_stale_locks(worktree.admin / "index.lock", worktree.admin / "HEAD.lock")
        # git would not restore flagged files that the last check changed
        hidden = index_flags.clear_flags(repository, worktree)
        worktree.git(repository, "checkout", "--quiet", "--force", "--detach", commit)
        # --force twice also removes nested repositories that checks created
        worktree.git(repository, "clean", "--quiet", "-d", "--force", "--force", "-x")
        if hidden.absent:
            index_flags.restore_absent(repository, worktree)
        return worktree
