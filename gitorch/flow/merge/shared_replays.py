"""Make each replay once, whoever asks for it: the order, the partners of a conflict, the checks, or a resolver."""

from __future__ import annotations

from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Replayed, Replayer
from gitorch.replay.engine import EngineReplayer


class SharedReplays(EngineReplayer):
    """A `Replayer` that remembers what its engine made of the same commits on the same commit."""

    def __init__(self, engine: Replayer) -> None:
        super().__init__(engine)
        self._replays: dict[tuple[CommitRange, Oid], Replayed | Conflicted] = {}

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits, or return the result of the earlier replay."""
        key = commits, onto
        if key not in self._replays:
            self._replays[key] = self.engine.replay(commits, onto)
        return self._replays[key]
