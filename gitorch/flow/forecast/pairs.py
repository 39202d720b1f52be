"""Which branches in flight will conflict: all pairs of them, and each with what is merged.

A filter over changed paths names the pairs that could conflict, and misses none; only those are merged, in memory.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.git.changes import Changes, Span, changes
from gitorch.git.repository import Repository
from gitorch.model.forecast import Conflict
from gitorch.model.naming import Oid, TaskId
from gitorch.replay import Conflicted, Replayer

Pair = tuple[TaskId, TaskId]
Known = dict[Span, frozenset[str]]
"""In which paths two commits conflict, the smaller id first: what was merged once is not merged again."""


class Branch(msgspec.Struct, frozen=True):
    """A task's branch in flight: own commits `base..tip`; the tip may be a rescue point of work that goes on."""

    task: TaskId
    base: Oid
    tip: Oid


class Reach(msgspec.Struct, frozen=True):
    """What a branch is made of: the commit at its foot, and the spans of own commits up to its tip, its own the last.

    A stack has a span for each branch below; two branches of one stack share spans, and do not meet in them.
    """

    foot: Oid
    spans: tuple[Span, ...]


class Candidates(msgspec.Struct, frozen=True):
    """Which pairs of branches could conflict, and which branches with what they are to be merged onto."""

    pairs: tuple[Pair, ...]
    landed: tuple[TaskId, ...]


def forecast(
    replayer: Replayer, branches: Sequence[Branch], onto: Oid, known: Known | None = None
) -> tuple[Conflict, ...]:
    """Return all conflicts among branches, and of each with `onto`; a conflict of what they build on is not theirs.

    `known` remembers merges from one call to the next; what no branch needs any more is forgotten.
    """
    known = {} if known is None else known
    own = {branch.task: branch for branch in branches if branch.base != branch.tip}
    found = candidates(replayer.repository, list(own.values()), onto)
    merges = _Merges(replayer, known)
    named = [((one, other), merges.between(own[one], own[other])) for one, other in found.pairs]
    landed = [((one,), merges.with_landed(own[one], onto)) for one in found.landed]
    merges.forget()
    return tuple(Conflict(tasks, tuple(sorted(paths))) for tasks, paths in (*named, *landed) if paths)


def candidates(repository: Repository, branches: Sequence[Branch], onto: Oid) -> Candidates:
    """Name the pairs of branches that could conflict, and the branches that could with `onto`."""
    reaches = _reaches(branches)
    feet = dict.fromkeys([*(reach.foot for reach in reaches.values()), onto])
    between = list(itertools.permutations(feet, 2))  # a folder is gone in one direction only
    spans = dict.fromkeys(span for reach in reaches.values() for span in reach.spans)
    changed = changes(repository, [*spans, *between])
    index = _Index({span: changed[span] for span in spans})
    holders = _holders(reaches)
    places = {branch.task: at for at, branch in enumerate(branches)}
    pairs = {_ordered(pair, places) for pair in _meeting(index, holders)}
    near = {span: {task for one in index.near(changed[span]) for task in holders[one]} for span in between}
    touching = {(one, other): found | near[other, one] for (one, other), found in near.items()}
    pairs |= {_ordered(pair, places) for pair in _across(reaches, touching)}
    landed = [name for name, reach in reaches.items() if name in touching.get((reach.foot, onto), ())]
    return Candidates(tuple(sorted(pairs, key=lambda pair: (places[pair[0]], places[pair[1]]))), tuple(landed))


def _ordered(pair: Pair, places: Mapping[TaskId, int]) -> Pair:
    one, other = pair
    return pair if places[one] < places[other] else (other, one)


def _reaches(branches: Iterable[Branch]) -> dict[TaskId, Reach]:
    by_task = {branch.task: branch for branch in branches}
    by_tip = {branch.tip: branch for branch in by_task.values()}
    return {name: _reach(branch, by_tip) for name, branch in by_task.items()}


def _reach(branch: Branch, by_tip: Mapping[Oid, Branch]) -> Reach:
    spans = [(branch.base, branch.tip)]
    foot = branch.base
    while (below := by_tip.get(foot)) and (below.base, below.tip) not in spans:
        spans.append((below.base, below.tip))
        foot = below.base
    return Reach(foot, tuple(reversed(spans)))


def _holders(reaches: Mapping[TaskId, Reach]) -> dict[Span, set[TaskId]]:
    holders: dict[Span, set[TaskId]] = defaultdict(set)
    for name, reach in reaches.items():
        for span in reach.spans:
            holders[span].add(name)
    return holders


def _meeting(index: _Index, holders: Mapping[Span, set[TaskId]]) -> Iterator[Pair]:
    """Yield the pairs that meet in a span of each that the other one does not hold."""
    for span, found in index.changed.items():
        for other in index.near(found):
            ours, theirs = holders[span] - holders[other], holders[other] - holders[span]
            yield from ((one, two) for one in ours for two in theirs)


def _across(reaches: Mapping[TaskId, Reach], touching: Mapping[Span, set[TaskId]]) -> Iterator[Pair]:
    """Yield the pairs on different feet of which one touches what lies between the feet."""
    standing: dict[Oid, list[TaskId]] = defaultdict(list)
    for name, reach in reaches.items():
        standing[reach.foot].append(name)
    for (one, other), near in touching.items():
        yield from ((ours, theirs) for ours in standing[one] if ours in near for theirs in standing[other])


class _Index:
    """Which spans could conflict with what changes elsewhere: by path, by folder above, by folder gone."""

    def __init__(self, changed: Mapping[Span, Changes]) -> None:
        self.changed = changed
        self._at: dict[str, set[Span]] = defaultdict(set)
        self._below: dict[str, set[Span]] = defaultdict(set)
        self._added_below: dict[str, set[Span]] = defaultdict(set)
        self._gone: dict[str, set[Span]] = defaultdict(set)
        for span, found in changed.items():
            self._place(self._at, found.paths, span)
            self._place(self._below, _above(found.paths), span)
            self._place(self._added_below, _above(found.added), span)
            self._place(self._gone, found.gone, span)

    def _place(self, table: dict[str, set[Span]], names: Iterable[str], span: Span) -> None:
        for name in names:
            table[name].add(span)

    def near(self, found: Changes) -> set[Span]:
        """Return the spans that change the same path, have a file where the other has a folder, or move a folder
        into which the other adds (a folder that is gone may have been renamed)."""
        tables = (
            (self._at, found.paths),
            (self._below, found.paths),
            (self._at, _above(found.paths)),
            (self._added_below, found.gone),
            (self._gone, _above(found.added)),
        )
        return {span for table, names in tables for name in names if name in table for span in table[name]}


def _above(paths: Iterable[str]) -> set[str]:
    """Return all folders that hold these paths, at any depth."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


class _Merges:
    """Merges in memory, each made once."""

    def __init__(self, replayer: Replayer, known: Known) -> None:
        self.replayer = replayer
        self.known = known
        self._used: set[Span] = set()

    def between(self, one: Branch, other: Branch) -> frozenset[str]:
        """Return where two branches conflict with each other, and neither with what the other stands on."""
        paths = self._paths(one.tip, other.tip)
        if paths and one.base != other.base:
            paths = paths - self._paths(one.base, other.tip) - self._paths(one.tip, other.base)
        return paths

    def with_landed(self, branch: Branch, onto: Oid) -> frozenset[str]:
        """Return where a branch conflicts with what is merged, and what it builds on does not."""
        paths = self._paths(branch.tip, onto)
        return paths - self._paths(branch.base, onto) if paths else paths

    def _paths(self, one: Oid, other: Oid) -> frozenset[str]:
        pair = (one, other) if one < other else (other, one)
        self._used.add(pair)
        if pair not in self.known:
            merged = self.replayer.merge(*pair)
            self.known[pair] = frozenset(merged.paths) if isinstance(merged, Conflicted) else frozenset()
        return self.known[pair]

    def forget(self) -> None:
        for pair in [pair for pair in self.known if pair not in self._used]:
            del self.known[pair]
