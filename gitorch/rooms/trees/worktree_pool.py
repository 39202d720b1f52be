"""The worktrees in which trees are checked: created once, reset and cleaned for each tree, locked across processes."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from gitorch.git.history_store import config_variables
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktrees import index_flags, linked_worktrees, worktree_pointer, worktree_trash
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.rooms.context import RunContext
from gitorch.rooms.paths import worktree_path
from gitorch.storage import locks

_REASON = "gitorch checks trees here"

_DISTRUST = config_variables(
    {
        # a check can set a file's size and time as they were, but not the time of the change
        "core.trustCtime": "true",
        "core.checkStat": "default",
        "core.ignoreStat": "false",
        "core.untrackedCache": "false",
    }
)


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
            files = {name: stack.enter_context(locks.open_file(self.folder / f"{name}.lock")) for name in self.names}
            name = next((name for name, file in files.items() if locks.try_lock(file)), None)
            if name is None:
                name = self.names[0]
                fcntl.flock(files[name], fcntl.LOCK_EX)
            worktree = PooledWorktree(self.context, name, files[name])
            worktree.end_leftovers()
            try:
                yield worktree
            finally:
                worktree.leave()


class PooledWorktree:
    """One worktree of the pool, locked by its user."""

    key: str

    def __init__(self, context: RunContext, name: str, record: IO[str]) -> None:
        self.context = context
        self.name = name
        self.record = record
        self.path = worktree_path(context.repository, context.config, name)

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
                self.context.executor.cancel(execution, "its command was killed", now=True)
                self.context.executor.wait(execution)

    def checkout(self, commit: Oid) -> Worktree:
        """Check out a commit, and remove everything else from the worktree."""
        repository = self.context.repository
        worktree = linked_worktrees.find(repository, self.path)
        if worktree is not None:
            try:
                _reset(repository, worktree, commit)
            except (GitFailed, OSError):  # a check left what cannot be removed in place: a read-only folder
                with linked_worktrees.lock(repository):
                    removal = worktree_trash.removal(repository, self.path, worktree_trash.new_stamp())
                    worktree_trash.carry_out(removal)
            else:
                return worktree
        linked_worktrees.discard_unfinished(repository, self.path)
        return linked_worktrees.add(repository, self.path, commit, _REASON)

    def leave(self) -> None:
        """Let the worktree's `.git` file lead to the user's repository again, as between two uses."""
        worktree = linked_worktrees.find(self.context.repository, self.path)
        if worktree is not None:
            reclaim(worktree, self.context.folder / "rooms" / self.name)


def reclaim(worktree: Worktree, aside: Path) -> None:
    """Let a worktree's `.git` file lead to its own git folder; what a check put in its place goes to `aside`."""
    worktree_pointer.point(worktree.path, worktree.admin, worktree.admin, aside)


def _reset(repository: Repository, worktree: Worktree, commit: Oid) -> None:
    """Bring a worktree to a commit: three calls of git, because a large tree makes each of them slow."""
    repository.remove_stale_locks(worktree.admin / "index.lock", worktree.admin / "HEAD.lock")
    hidden, submodules = index_flags.flags_and_submodules(repository, worktree)
    # git would not restore flagged files that the last check changed
    index_flags.clear_flags(repository, worktree, flagged=hidden)
    # nor touch what is in the folder of a submodule
    for path in submodules:
        _empty(worktree.path, path)
    # --force twice also removes nested repositories that checks created
    worktree.git(repository, "clean", "--quiet", "-d", "--force", "--force", "-x", env=_DISTRUST)
    worktree.git(repository, "checkout", "--quiet", "--force", "--detach", commit, env=_DISTRUST)
    if hidden.absent:
        index_flags.restore_absent(repository, worktree)


def _empty(top: Path, path: str) -> None:
    """Empty a folder below `top`, if no link leads to it."""
    folder = top / path
    if folder.is_dir() and folder.resolve() == top.resolve() / path and any(folder.iterdir()):
        shutil.rmtree(folder)
        folder.mkdir()
