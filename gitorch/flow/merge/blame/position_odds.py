"""Where the last member of a set that fails together may be: what a search halves, in place of the positions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import PurePosixPath

_SIZES = {1: 0.3, 2: 0.35, 3: 0.2, 4: 0.15}
"""How likely a set has so many members: mostly one task breaks on top of another, and rarely many together."""
_SAME_PATH, _SAME_FOLDER = 8.0, 2.0
"""How much likelier a task belongs to a set if it shares paths, or folders, with the members that are known."""


class PositionOdds:
    """The odds that the last of the missing members is among the first ones of some tasks.

    `weights` are how likely each of these belongs to the set; `known_members` says how many others are known.
    """

    def __init__(self, weights: Sequence[float], known_members: int) -> None:
        self._sums = [0.0, *itertools.accumulate(weights)]
        self._missing = {size - known_members: odds for size, odds in _SIZES.items() if size > known_members} or {
            1: 1.0
        }

    def among_first(self, end: int) -> float:
        """Return the odds for the first `end` tasks, from 0 to 1."""
        share = self._sums[end] / self._sums[-1]
        return sum(odds * share**missing for missing, odds in self._missing.items()) / sum(self._missing.values())

    def divide(self, low: int, high: int, count: int) -> list[int]:
        """Return up to `count` ends between two others that divide the odds between them evenly."""
        first, last = self.among_first(low), self.among_first(high)
        parts = min(count, high - low - 1) + 1
        ends: list[int] = []
        for part in range(1, parts):
            target_odds = first + (last - first) * part / parts
            # so that each end has room for those that follow
            between = range(max(low, *ends, low) + 1, high - (parts - 1 - part))
            ends.append(min(between, key=lambda end: abs(self.among_first(end) - target_odds)))
        return ends


def closeness(paths: frozenset[str], known_paths: frozenset[str]) -> float:
    """Return how likely a task that changes these paths belongs to a set whose members change the `known_paths`."""
    if not paths.isdisjoint(known_paths):
        return _SAME_PATH
    return 1.0 if _folders(paths).isdisjoint(_folders(known_paths)) else _SAME_FOLDER


def _folders(paths: frozenset[str]) -> set[str]:
    """Return the folders that these paths are in; the top folder, in which everything is, does not count."""
    return {str(PurePosixPath(path).parent) for path in paths} - {"."}
