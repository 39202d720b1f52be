"""Replay own commits onto another commit without a worktree, as `git rebase` would."""

from gitorch.replay.octopus import merge_heads
from gitorch.replay.reference import Rebaser
from gitorch.replay.replayer import Replayer, replay
from gitorch.replay.values import Conflicted, Merged, Own, Replayed, Resolved, Stage

__all__ = [
    "Conflicted",
    "Merged",
    "Own",
    "Rebaser",
    "Replayed",
    "Replayer",
    "Resolved",
    "Stage",
    "merge_heads",
    "replay",
]
