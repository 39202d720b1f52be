"""Replay own commits onto another commit without a worktree, as `git rebase` would."""

from gitorch.git.replay.heads import merge_heads
from gitorch.git.replay.reference import Rebaser
from gitorch.git.replay.replayer import Replayer, replay
from gitorch.git.replay.values import Conflicted, Merged, Own, Replayed, Resolved, Stage

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
