"""The merge engine: many replays that share what was read, in memory until they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from gitorch.git.replay.spawned import merge_trees, replay_spawned
from gitorch.git.replay.values import Conflicted, Merged, Own, Replayed
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid


class Replayer:
    """Replays and merges commits of one repository. Nothing of it is visible to others until `keep`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def read(self, owns: Iterable[Own], onto: Oid) -> None:
        """Read what these replays onto `onto` will need, all at once: an optimisation, never needed."""

    def replay(self, own: Own, onto: Oid) -> Replayed | Conflicted:
        """Replay own commits onto a commit, of the repository or an earlier replay's."""
        return replay_spawned(self.repository, own, onto)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits, by the `.gitattributes` of the first."""
        return merge_trees(self.repository, ours, theirs)

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit, of the repository or an earlier replay's."""
        return self.repository.tree(commit)

    def keep(self, *tips: Oid) -> None:
        """Store all that these commits need in the repository, durably. No ref is moved."""


def replay(repository: Repository, base: Oid, tip: Oid, onto: Oid) -> Replayed | Conflicted:
    """Replay the own commits `base..tip` onto `onto`, and store the result in the repository."""
    with Replayer(repository) as replayer:
        done = replayer.replay(Own(base, tip), onto)
        if isinstance(done, Replayed):
            replayer.keep(done.tip)
        return done
