"""A replayer around another one: what it does not do itself, the other does."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.model.naming import Oid
from gitorch.replay import Conflicted, Merged, Own, Replayer
from gitorch.replay.history import Pick


class Wrapper(Replayer):
    """Does all that a replayer does by way of another one, which keeps its processes and its memory."""

    def __init__(self, replayer: Replayer) -> None:
        # not the one of the class above: its processes are those of the replayer inside
        self.repository = replayer.repository
        self.inner = replayer

    def close(self) -> None:
        """End the replayer inside."""
        self.inner.close()

    def read(self, owns: Iterable[Own], onto: Oid) -> None:
        """Read as the replayer inside."""
        self.inner.read(owns, onto)

    def picks(self, own: Own, onto: Oid) -> list[Pick]:
        """Return the own commits that a replay would pick."""
        return self.inner.picks(own, onto)

    def paths(self, own: Own, onto: Oid) -> frozenset[str]:
        """Return the paths that own commits change."""
        return self.inner.paths(own, onto)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge as the replayer inside."""
        return self.inner.merge(ours, theirs)

    def tree(self, commit: Oid) -> Oid:
        """Return a commit's tree."""
        return self.inner.tree(commit)

    def file(self, tree: Oid, path: str) -> bytes | None:
        """Return a file of a tree."""
        return self.inner.file(tree, path)

    def keep(self, *tips: Oid) -> None:
        """Store commits as the replayer inside."""
        self.inner.keep(*tips)

    def keep_tree(self, tree: Oid) -> None:
        """Store a tree as the replayer inside."""
        self.inner.keep_tree(tree)


def unwrapped(replayer: Replayer) -> Replayer:
    """Return the replayer inside all wrappers: it solves nothing and squashes nothing."""
    while isinstance(replayer, Wrapper):
        replayer = replayer.inner
    return replayer
