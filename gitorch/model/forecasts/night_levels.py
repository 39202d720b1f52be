"""How much nights differ from each other: a level that moves from night to night, and what is a single night's own.

The tasks of one night have something in common (the goal, the model, the load of the machine), so that a whole night
comes out slower or faster than single tasks let expect, and a later one is most like the last ones. Values are
logarithms: a level of 0.1 means about a tenth longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

_MOVES = ((0.0, 0.5), (0.05, 0.2), (0.15, 0.15), (0.4, 0.1), (1.0, 0.05))
"""How far the level may move from night to night (standard deviation), and how likely that is beforehand."""

_OWN = ((0.0, 0.35), (0.2, 0.2), (0.4, 0.25), (0.7, 0.2))
"""How far a single night may lie from the level, and how likely that is beforehand."""

_UNKNOWN = 4.0
"""Variance of the level before the first night: nothing is known about it."""

_LEAST = 1e-12


class NightLevels(msgspec.Struct, frozen=True, kw_only=True):
    """One explanation of the nights so far: how likely it is, and what it says of the next night and of earlier ones.

    `mean` and `variance` are those of the next night's level, `earlier` those of earlier nights by number.
    """

    weight: float
    mean: float
    variance: float
    earlier: dict[int, float]


class _Night(msgspec.Struct, frozen=True):
    number: int
    mean: float
    noise: float


def explanations(values: Sequence[tuple[int, float]]) -> list[NightLevels]:
    """Return the explanations of logarithms by night, the nights in order; their weights add up to 1.

    The logarithms are those of a task's value, less the mean of tasks like it.
    """
    nights = _nights(values)
    solutions = [
        (math.log(move_weight * own_weight), *_filtered(nights, move * move, night_spread * night_spread))
        for move, move_weight in _MOVES
        for night_spread, own_weight in _OWN
    ]
    best = max(prior + likelihood for prior, likelihood, _ in solutions)
    weights = [math.exp(prior + likelihood - best) for prior, likelihood, _ in solutions]
    total = sum(weights)
    return [
        msgspec.structs.replace(levels, weight=weight / total)
        for weight, (_, _, levels) in zip(weights, solutions, strict=True)
    ]


def _nights(values: Sequence[tuple[int, float]]) -> list[_Night]:
    by_night: dict[int, list[float]] = {}
    for number, value in values:
        by_night.setdefault(number, []).append(value)
    night_means = {number: sum(logs) / len(logs) for number, logs in by_night.items()}
    free = len(values) - len(by_night)
    around = ((value - night_means[number]) ** 2 for number, value in values)
    # of nights with a single task, the differences between nights are all there is
    variance = sum(around) / free if free else sum(value**2 for _, value in values) / max(len(values), 1)
    return [_Night(number, night_means[number], max(variance, _LEAST) / len(logs)) for number, logs in by_night.items()]


def _filtered(nights: Sequence[_Night], move: float, around_level: float) -> tuple[float, NightLevels]:
    """Return the log likelihood of the nights, and what follows for the next one (a Kalman filter of a random walk).

    `move` and `around_level` are variances: of the level from night to night, and of single nights around it.
    """
    mean, variance, likelihood = 0.0, _UNKNOWN, 0.0
    steps: list[tuple[float, float]] = []
    for night in nights:
        surprise, spread = night.mean - mean, variance + around_level + night.noise
        likelihood -= (surprise**2 / spread + math.log(spread)) / 2
        gain = variance / spread
        mean, variance = mean + gain * surprise, variance * (1 - gain)
        steps.append((mean, variance))
        variance += move
    earlier: dict[int, float] = {}
    smoothed = mean
    for night, (filtered, spread) in zip(reversed(nights), reversed(steps), strict=True):
        smoothed = filtered + spread / (spread + move or 1.0) * (smoothed - filtered)
        share = around_level / (around_level + night.noise)
        earlier[night.number] = smoothed + share * (night.mean - smoothed)
    return likelihood, NightLevels(weight=0.0, mean=mean, variance=variance + around_level, earlier=earlier)


def expected(levels: Sequence[NightLevels], night: int) -> float:
    """Return how far the next night is expected to lie above an earlier one."""
    return sum(each.weight * (each.mean - each.earlier.get(night, 0.0)) for each in levels)
