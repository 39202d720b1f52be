"""How many trees are checked to find tasks that fail together, planted among thirty at random."""

from __future__ import annotations

import random
import statistics

from tests.bench.table import Row
from tests.support.fake_merge import approved_tasks
from tests.unit.test_failing_set import Case, members

_TASKS = 30
_TRIES = 200


def planted() -> Row:
    """Count the trees for a pair, a triple and a set of four: the mean of many tries."""
    counts = [_mean(size) for size in (2, 3, 4)]
    figure = " / ".join(f"{count:.1f}" for count in counts)
    met = all(count <= must for count, must in zip(counts, (13, 17, 21), strict=True))
    what = f"trees to find a planted pair / triple / four-set among {_TASKS}, mean of {_TRIES}"
    return Row(what, figure, "≤ 13 / 17 / 21", "10 / 13 / 16", met)


def _mean(size: int) -> float:
    dice = random.Random(size)
    names = [f"t{number:02}" for number in range(_TASKS)]
    counts = []
    for _ in range(_TRIES):
        hidden = sorted(dice.sample(names, size))
        case = Case(approved_tasks(*names), " ".join(hidden))
        assert members(case.find()) == hidden
        counts.append(len(set(case.check.checked)))
    return statistics.mean(counts)
