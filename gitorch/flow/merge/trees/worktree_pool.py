"""The worktrees in which trees are checked: made once, reset and cleaned for each tree, locked between processes."""

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


class Slots:
    """A few worktrees, taken by one tree at a time each, by whatever thread or process."""

    def __init__(self, context: RunContext, names: Sequence[str]) -> None:
        self.context = context
        self.names = names
        self.folder = context.folder / "slots"

    @contextmanager
    def taken(self) -> Iterator[Slot]:
        """Hold a slot that is free; wait for the first one where all are taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {name: stack.enter_context((self.folder / f"{name}.lock").open("a+")) for name in self.names}
            name = next((name for name, file in files.items() if locks.take(file)), None)
            if name is None:
                name = self.names[0]
                fcntl.flock(files[name], fcntl.LOCK_EX)
            slot = Slot(self.context, name, files[name])
            slot.end_leftovers()
            yield slot


class Slot:
    """One worktree, held."""

    worktree: Worktree
    key: str

    def __init__(self, context: RunContext, name: str, record: IO[str]) -> None:
        self.context = context
        self.name = name
        self.record = record

    def record_key(self, key: str) -> None:
        """Record what the keys of this worktree's executions start with: after a crash, they are ended by it."""
        self.key = key
        self.record.truncate(0)
        self.record.write(key)
        self.record.flush()

    def end_leftovers(self) -> None:
        """End what a killed process left running here: it would work on another tree than it was started for."""
        self.record.seek(0)
        if key := self.record.read():
            for execution in self.context.executor.adopt(key):
                self.context.executor.cancel(execution, "its merge was killed", now=True)
                self.context.executor.wait(execution)

    def at(self, commit: Oid) -> Worktree:
        """Bring the worktree to a commit, with nothing else in it."""
        repository = self.context.repository
        path = worktree_path(repository, self.context.config, self.name)
        found = worktrees.find(repository, path)
        if found is None:
            worktrees.discard_half_made(repository, path)
            found = worktrees.add(repository, path, commit, _REASON)
        repository.remove_stale_locks(found.admin / "index.lock", found.admin / "HEAD.lock")
        hidden = index_flags.uncover(repository, found)  # git would leave it as the last check had it
        found.git(repository, "checkout", "--quiet", "--force", "--detach", commit)
        # twice: repositories that checks made inside, too
        found.git(repository, "clean", "--quiet", "-d", "--force", "--force", "-x")
        if hidden.absent:
            index_flags.bring_back(repository, found)
        self.worktree = found
        return found
