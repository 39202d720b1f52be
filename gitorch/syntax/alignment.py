"""Alignment of two sequences: which item of one is which item of the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence

# above this product of lengths, a gap is aligned by its unique items only
_CELLS = 10_000


def align_equal(base: Sequence[Hashable], side: Sequence[Hashable]) -> list[int | None]:
    """Return for each item of `base` its equal item in `side`, in order; None where it has none."""
    partner: list[int | None] = [None] * len(base)
    gaps = [(0, len(base), 0, len(side))]
    while gaps:
        low, high, from_side, to_side = gaps.pop()
        while low < high and from_side < to_side and base[low] == side[from_side]:
            partner[low] = from_side
            low, from_side = low + 1, from_side + 1
        while low < high and from_side < to_side and base[high - 1] == side[to_side - 1]:
            high, to_side = high - 1, to_side - 1
            partner[high] = to_side
        if low == high or from_side == to_side:
            continue
        anchors = _unique_anchors(base[low:high], side[from_side:to_side])
        if anchors:
            corners = [(low + i, from_side + j) for i, j in anchors]
            starts = [(low, from_side), *((i + 1, j + 1) for i, j in corners)]
            for i, j in corners:
                partner[i] = j
            gaps += [(i, k, j, m) for (i, j), (k, m) in zip(starts, [*corners, (high, to_side)], strict=True)]
        elif (high - low) * (to_side - from_side) <= _CELLS:
            for i, j in _best_sum(high - low, to_side - from_side, _equality(base, low, side, from_side)):
                partner[low + i] = from_side + j
    return partner


def fill_gaps(partner: list[int | None], side_length: int, likeness: Callable[[int, int], float]) -> list[int | None]:
    """Return an alignment whose gaps are filled with the pairs of the best sum of likeness (0 to 1, 0 is no pair)."""
    filled = list(partner)
    low = from_side = 0
    for index in range(len(partner) + 1):
        anchor = partner[index] if index < len(partner) else side_length
        if anchor is None:
            continue
        rows, columns = index - low, anchor - from_side
        if rows and columns and rows * columns <= _CELLS:
            for i, j in _best_sum(rows, columns, _shifted(likeness, low, from_side)):
                filled[low + i] = from_side + j
        low, from_side = index + 1, anchor + 1
    return filled


def _equality(
    base: Sequence[Hashable], low: int, side: Sequence[Hashable], from_side: int
) -> Callable[[int, int], float]:
    return lambda i, j: float(base[low + i] == side[from_side + j])


def _shifted(likeness: Callable[[int, int], float], low: int, from_side: int) -> Callable[[int, int], float]:
    return lambda i, j: likeness(low + i, from_side + j)


def _unique_anchors(base: Sequence[Hashable], side: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the longest increasing run of items that occur once on both sides (patience)."""
    indices = _indices_of_unique(side)
    pairs = [(i, indices[item]) for item, i in _indices_of_unique(base).items() if item in indices]
    pairs.sort()
    tails: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tails, j)
        before.append(tops[pile - 1] if pile else -1)
        tails[pile : pile + 1] = [j]
        tops[pile : pile + 1] = [number]
    run: list[tuple[int, int]] = []
    number = tops[-1] if tops else -1
    while number >= 0:
        run.append(pairs[number])
        number = before[number]
    return run[::-1]


def _indices_of_unique(items: Sequence[Hashable]) -> dict[Hashable, int]:
    indices: dict[Hashable, int] = {}
    repeated: set[Hashable] = set()
    for index, item in enumerate(items):
        if item in indices:
            repeated.add(item)
        indices[item] = index
    return {item: index for item, index in indices.items() if item not in repeated}


def _best_sum(rows: int, columns: int, likeness: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Return the pairs, in order on both sides, whose likeness adds up to the most."""
    scores = [[likeness(i, j) for j in range(columns)] for i in range(rows)]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            paired = best[i + 1][j + 1] + scores[i][j] if scores[i][j] > 0 else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if scores[i][j] > 0 and best[i][j] == best[i + 1][j + 1] + scores[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs
