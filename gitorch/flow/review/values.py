"""What a review shows of a branch: changed files, signals, and the card that holds them."""

from __future__ import annotations

from collections import Counter

import msgspec

from gitorch.git.diff.file_changes import FileChange
from gitorch.model.branch_state import LaterCommit
from gitorch.model.naming import TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import Task

CUT_SEARCHES = ("incomplete", "unsearched")
"""Kinds of signals that say what was not searched: every list shows them."""


class RiskSignal(msgspec.Struct, frozen=True):
    """A reason to look closer. `weight` is 3 (high) to 1 (low); `line` is 0 where there is none.

    `kind` is its name in `data/signals.toml`.
    """

    weight: int
    text: str
    path: str = ""
    line: int = 0
    kind: str = ""

    @property
    def place(self) -> str:
        """The file and the line, as far as there are any."""
        return f"{self.path}:{self.line}" if self.line else self.path


class BranchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the commits of a branch alone say, whatever is configured: files, subjects, and signals of the content."""

    changes: tuple[FileChange, ...]
    subjects: tuple[str, ...]
    signals: tuple[RiskSignal, ...]


class ReviewCard(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of one task that a reviewer sees before the diff.

    `later` are the commits since its last attempt, `resolutions` how its conflict with others would be resolved,
    `rivals` the tasks of its group of rival attempts.
    """

    task: Task
    changes: tuple[FileChange, ...]
    commits: tuple[str, ...]
    signals: tuple[RiskSignal, ...]
    later: tuple[LaterCommit, ...] = ()
    unlocks: tuple[TaskId, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    rivals: tuple[Task, ...] = ()

    @property
    def added(self) -> int:
        return sum(change.added or 0 for change in self.changes)

    @property
    def removed(self) -> int:
        return sum(change.removed or 0 for change in self.changes)

    def first_signals(self) -> list[tuple[RiskSignal, bool]]:
        """Return the first signal of each kind, and whether there are more of that kind."""
        counts = Counter(signal.kind for signal in self.signals)
        first = {signal.kind: signal for signal in reversed(self.signals)}
        return [(first[kind], counts[kind] > 1) for kind in counts]

    @property
    def risk(self) -> str:
        heaviest = max((signal.weight for signal in self.signals), default=0)
        return {0: "low", 1: "low", 2: "medium"}.get(heaviest, "high")
