"""Three-way merge of aligned sequences: lines, words, or the children of a node.

The rules of what an item is come from the caller. Here is only what holds for every sequence: an item that both sides
still have is merged, one that a side deleted goes, and what a side inserted is put where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gitorch.syntax.outcome import Unresolved

Item = TypeVar("Item")
Merged = TypeVar("Merged")


@dataclass(frozen=True)
class Run(Generic[Item]):
    """Neighbouring items that one side inserted, and the places of the base that they stand for.

    Places are counted in quarters: 4n is the gap before item n, 4n + 2 is item n itself. A pure insertion stands in one
    gap, an opening or closing bracket a little before or after it; a replacement stands for the items that it replaced.
    """

    low: int
    high: int
    items: tuple[Item, ...]
    replaces: bool = False

    @property
    def replaced(self) -> range:
        """The indices of the base items that this run replaces."""
        return range(self.low // 4, self.high // 4 + 1) if self.replaces else range(0)


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item that one side deleted, or moved, and that the other side changed to `changed`."""

    base: Item
    changed: Item
    deleted_by_ours: bool


class Rules(Protocol[Item, Merged]):
    """What a kind of sequence knows about its items."""

    def merge(self, base: Item, ours: Item, theirs: Item) -> Merged:
        """Merge an item that both sides have."""

    def same(self, first: Item, second: Item) -> bool:
        """Return whether an item is unchanged."""

    def keep(self, items: tuple[Item, ...], *, from_ours: bool) -> list[Merged]:
        """Return inserted items as results."""

    def follow(self, lost: list[Lost[Item]], items: tuple[Item, ...], *, from_ours: bool) -> list[Merged] | None:
        """Return an insertion in which changed items that it moved are merged; None if it has none of them."""

    def split(self, run: Run[Item]) -> list[Run[Item]]:
        """Return a pure insertion as one run, or as several, of which some go around those of the other side."""

    def arrange(self, ours: Run[Item], theirs: Run[Item]) -> bool:
        """Return whether ours goes first where both orders are possible; raise `Unresolved` if none is."""

    def join(self, base: Sequence[Item], ours: Run[Item], theirs: Run[Item]) -> list[Merged]:
        """Return the result where both sides replace the same items; raise `Unresolved` if there is none."""

    def without_repeats(self, ours: Run[Item], theirs: Run[Item]) -> Run[Item]:
        """Return theirs without what ours inserts too."""


def merge_sequences(
    base: Sequence[Item],
    ours: Sequence[Item],
    theirs: Sequence[Item],
    to_ours: Sequence[int | None],
    to_theirs: Sequence[int | None],
    rules: Rules[Item, Merged],
) -> list[Merged]:
    """Return the merged items; raise `Unresolved` if a rule says so."""
    merged: list[Merged] = []
    start = start_ours = start_theirs = 0
    for index in range(len(base) + 1):
        last = index == len(base)
        in_ours = len(ours) if last else to_ours[index]
        in_theirs = len(theirs) if last else to_theirs[index]
        if in_ours is None or in_theirs is None:
            continue
        region = range(start, index)
        runs_ours = _runs(ours, to_ours, region, start_ours, in_ours, rules)
        runs_theirs = _runs(theirs, to_theirs, region, start_theirs, in_theirs, rules)
        _refuse_deletion_of_replaced(runs_ours, runs_theirs, to_theirs)
        _refuse_deletion_of_replaced(runs_theirs, runs_ours, to_ours)
        lost = _lost_items(base, ours, theirs, to_ours, to_theirs, region, rules)
        merged += _merge_region(base, runs_ours, runs_theirs, lost, rules)
        if not last:
            merged.append(rules.merge(base[index], ours[in_ours], theirs[in_theirs]))
        start, start_ours, start_theirs = index + 1, in_ours + 1, in_theirs + 1
    return merged


def _refuse_deletion_of_replaced(
    runs: list[Run[Item]], runs_of_other: list[Run[Item]], to_other: Sequence[int | None]
) -> None:
    """Raise `Unresolved` if the other side deletes, without any replacement, what this side replaces."""
    for run in runs:
        deleted = [item for item in run.replaced if to_other[item] is None]
        if deleted and not any(run.low <= other.high and other.low <= run.high for other in runs_of_other):
            raise Unresolved("one side deletes what the other side replaces")


def _runs(
    side: Sequence[Item],
    partner: Sequence[int | None],
    region: range,
    start_side: int,
    stop_side: int,
    rules: Rules[Item, Merged],
) -> list[Run[Item]]:
    """Return what one side inserted in a region of the base."""
    runs: list[Run[Item]] = []
    start = region.start
    for index in range(region.start, region.stop + 1):
        in_side = stop_side if index == region.stop else partner[index]
        if in_side is None:
            continue
        if in_side > start_side:
            items = tuple(side[start_side:in_side])
            if index > start:
                runs.append(Run(4 * start + 2, 4 * index - 2, items, replaces=True))
            else:
                runs += rules.split(Run(4 * index, 4 * index, items))
        start, start_side = index + 1, in_side + 1
    return runs


def _lost_items(
    base: Sequence[Item],
    ours: Sequence[Item],
    theirs: Sequence[Item],
    to_ours: Sequence[int | None],
    to_theirs: Sequence[int | None],
    region: range,
    rules: Rules[Item, Merged],
) -> list[Lost[Item]]:
    lost: list[Lost[Item]] = []
    for index in region:
        in_ours, in_theirs = to_ours[index], to_theirs[index]
        if in_ours is not None and not rules.same(base[index], ours[in_ours]):
            lost.append(Lost(base[index], ours[in_ours], deleted_by_ours=False))
        elif in_theirs is not None and not rules.same(base[index], theirs[in_theirs]):
            lost.append(Lost(base[index], theirs[in_theirs], deleted_by_ours=True))
    return lost


def _merge_region(
    base: Sequence[Item],
    runs_ours: list[Run[Item]],
    runs_theirs: list[Run[Item]],
    lost: list[Lost[Item]],
    rules: Rules[Item, Merged],
) -> list[Merged]:
    """Return both sides' insertions between two items that all three have."""
    by_ours = [item for item in lost if item.deleted_by_ours]
    by_theirs = [item for item in lost if not item.deleted_by_ours]
    merged: list[Merged] = []
    for ours, theirs in _in_order(runs_ours, runs_theirs, rules):
        if ours is not None and theirs is not None:
            merged += rules.join(_replaced_items(base, ours, theirs), ours, theirs)
            continue
        run, changed_items = (ours, by_ours) if ours is not None else (theirs, by_theirs)
        items = run.items if run is not None else ()
        followed = rules.follow(changed_items, items, from_ours=ours is not None) if changed_items else None
        if followed is not None:
            changed_items.clear()
        merged += rules.keep(items, from_ours=ours is not None) if followed is None else followed
    if by_ours or by_theirs:
        raise Unresolved("one side deletes what the other side changes")
    return merged


def _replaced_items(base: Sequence[Item], ours: Run[Item], theirs: Run[Item]) -> Sequence[Item]:
    """Return the base items that the narrower of two replacements stands for."""
    narrower = min(ours, theirs, key=lambda run: run.high - run.low)
    return [base[index] for index in narrower.replaced]


def _in_order(
    runs_ours: list[Run[Item]], runs_theirs: list[Run[Item]], rules: Rules[Item, Merged]
) -> list[tuple[Run[Item] | None, Run[Item] | None]]:
    """Return the runs in their order: one of ours, one of theirs, or both where they replace the same items."""
    ordered: list[tuple[Run[Item] | None, Run[Item] | None]] = []
    ours, theirs = list(runs_ours), list(runs_theirs)
    while ours and theirs:
        first, second = ours[0], theirs[0]
        if first.high < second.low:
            ordered.append((ours.pop(0), None))
        elif second.high < first.low:
            ordered.append((None, theirs.pop(0)))
        elif _same_items(first, second, rules):
            ordered.append((ours.pop(0), None))
            theirs.pop(0)
        elif first.replaces and second.replaces:
            ordered.append((ours.pop(0), theirs.pop(0)))
        else:
            theirs[0] = second = rules.without_repeats(first, second)
            if not second.items:
                theirs.pop(0)
            elif rules.arrange(first, second):
                ordered.append((ours.pop(0), None))
            else:
                ordered.append((None, theirs.pop(0)))
    return ordered + [(run, None) for run in ours] + [(None, run) for run in theirs]


def _same_items(first: Run[Item], second: Run[Item], rules: Rules[Item, Merged]) -> bool:
    if len(first.items) != len(second.items):
        return False
    return all(rules.same(item, other) for item, other in zip(first.items, second.items, strict=True))
