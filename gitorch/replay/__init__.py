"""Replay commits onto another commit without a worktree, as `git rebase` would. README.md has the guarantees."""

from gitorch.replay.memory import MemoryReplayer, replay
from gitorch.replay.octopus import merge_heads
from gitorch.replay.protocol import Replayer
from gitorch.replay.values import CommitRange, Conflicted, Merged, Replayed, Resolved, Stage, UpstreamCommit

__all__ = [
    "CommitRange",
    "Conflicted",
    "MemoryReplayer",
    "Merged",
    "Replayed",
    "Replayer",
    "Resolved",
    "Stage",
    "UpstreamCommit",
    "merge_heads",
    "replay",
]
