"""Find the branches in flight that will conflict, with each other or with merged work.

A filter over changed paths selects the pairs that could conflict, and misses none; only those are merged, in memory.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.git.diff.path_changes import ChangedPaths, Span, changed_paths
from gitorch.git.repository import Repository
from gitorch.model.forecasts.conflict_forecast import Conflict
from gitorch.model.naming import Oid, TaskId
from gitorch.replay import Replayer

Pair = tuple[TaskId, TaskId]
MergeCache = dict[Span, frozenset[str]]
"""The conflicting paths of two commits, the smaller id first. It saves a second merge of the same commits."""


class Branch(msgspec.Struct, frozen=True):
    """A task's branch in flight: own commits `base..tip`; the tip may be a rescue point of uncommitted work."""

    task: TaskId
    base: Oid
    tip: Oid


class BranchSpans(msgspec.Struct, frozen=True):
    """The commit at the bottom of a branch's stack, and the spans from there to its tip, its own the last.

    A stack has a span for each branch below. Two branches of one stack share spans, which cannot conflict.
    """

    bottom: Oid
    spans: tuple[Span, ...]


class PossibleConflicts(msgspec.Struct, frozen=True):
    """Pairs of branches that could conflict, and branches that could conflict with the commit they merge onto."""

    pairs: tuple[Pair, ...]
    landed: tuple[TaskId, ...]


def forecast(
    replayer: Replayer, branches: Sequence[Branch], onto: Oid, cache: MergeCache | None = None
) -> tuple[Conflict, ...]:
    """Return all conflicts among branches, and of each with `onto`, without those of the commits they build on.

    `cache` keeps merges from one call to the next; entries that no branch needs are removed.
    """
    cache = {} if cache is None else cache
    by_task = {branch.task: branch for branch in branches if branch.base != branch.tip}
    selected = possible_conflicts(replayer.repository, list(by_task.values()), onto)
    merges = _Merges(replayer, cache)
    paired = [(pair, merges.between(by_task[pair[0]], by_task[pair[1]])) for pair in selected.pairs]
    landed = [((task,), merges.with_landed(by_task[task], onto)) for task in selected.landed]
    merges.forget_unused()
    return tuple(Conflict(tasks, tuple(sorted(paths))) for tasks, paths in (*paired, *landed) if paths)


def possible_conflicts(repository: Repository, branches: Sequence[Branch], onto: Oid) -> PossibleConflicts:
    """Return the pairs of branches that could conflict, and the branches that could conflict with `onto`."""
    stacks = _stacks(branches)
    bottoms = dict.fromkeys([*(stack.bottom for stack in stacks.values()), onto])
    between = list(itertools.permutations(bottoms, 2))  # both directions: a removed folder shows in only one
    spans = dict.fromkeys(span for stack in stacks.values() for span in stack.spans)
    changed = changed_paths(repository, [*spans, *between])
    index = _Index({span: changed[span] for span in spans})
    holders = _holders(stacks)
    order = {branch.task: position for position, branch in enumerate(branches)}
    pairs = {_ordered(pair, order) for pair in _overlapping(index, holders)}
    affected = {span: {task for match in index.matches(changed[span]) for task in holders[match]} for span in between}
    touching = {(start, end): tasks | affected[end, start] for (start, end), tasks in affected.items()}
    pairs |= {_ordered(pair, order) for pair in _across(stacks, touching)}
    landed = [task for task, stack in stacks.items() if task in touching.get((stack.bottom, onto), ())]
    return PossibleConflicts(tuple(sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]]))), tuple(landed))


def _ordered(pair: Pair, order: Mapping[TaskId, int]) -> Pair:
    first, second = pair
    return pair if order[first] < order[second] else (second, first)


def _stacks(branches: Iterable[Branch]) -> dict[TaskId, BranchSpans]:
    by_task = {branch.task: branch for branch in branches}
    by_tip = {branch.tip: branch for branch in by_task.values()}
    return {name: _stack(branch, by_tip) for name, branch in by_task.items()}


def _stack(branch: Branch, by_tip: Mapping[Oid, Branch]) -> BranchSpans:
    spans = [(branch.base, branch.tip)]
    bottom = branch.base
    while (parent := by_tip.get(bottom)) and (parent.base, parent.tip) not in spans:
        spans.append((parent.base, parent.tip))
        bottom = parent.base
    return BranchSpans(bottom, tuple(reversed(spans)))


def _holders(stacks: Mapping[TaskId, BranchSpans]) -> dict[Span, set[TaskId]]:
    holders: dict[Span, set[TaskId]] = defaultdict(set)
    for name, stack in stacks.items():
        for span in stack.spans:
            holders[span].add(name)
    return holders


def _overlapping(index: _Index, holders: Mapping[Span, set[TaskId]]) -> Iterator[Pair]:
    """Yield the pairs whose changes overlap in spans that they do not share."""
    for span, changed in index.changed.items():
        for match in index.matches(changed):
            only_span, only_match = holders[span] - holders[match], holders[match] - holders[span]
            yield from itertools.product(only_span, only_match)


def _across(stacks: Mapping[TaskId, BranchSpans], touching: Mapping[Span, set[TaskId]]) -> Iterator[Pair]:
    """Yield the pairs of different stacks of which one touches what changed between their bottoms."""
    by_bottom: dict[Oid, list[TaskId]] = defaultdict(list)
    for name, stack in stacks.items():
        by_bottom[stack.bottom].append(name)
    for (start, end), tasks in touching.items():
        yield from itertools.product((task for task in by_bottom[start] if task in tasks), by_bottom[end])


class _Index:
    """Finds the spans that could conflict with a change: by path, by parent folder, by removed folder."""

    def __init__(self, changed: Mapping[Span, ChangedPaths]) -> None:
        self.changed = changed
        self._by_path: dict[str, set[Span]] = defaultdict(set)
        self._by_folder: dict[str, set[Span]] = defaultdict(set)
        self._by_added_folder: dict[str, set[Span]] = defaultdict(set)
        self._by_removed_folder: dict[str, set[Span]] = defaultdict(set)
        for span, entry in changed.items():
            self._add(self._by_path, entry.paths, span)
            self._add(self._by_folder, _folders(entry.paths), span)
            self._add(self._by_added_folder, _folders(entry.added), span)
            self._add(self._by_removed_folder, entry.removed_folders, span)

    def _add(self, table: dict[str, set[Span]], names: Iterable[str], span: Span) -> None:
        for name in names:
            table[name].add(span)

    def matches(self, changed: ChangedPaths) -> set[Span]:
        """Return the spans that change the same path, have a file where the other has a folder, or remove a folder
        into which the other adds (a removed folder may have been renamed)."""
        tables = (
            (self._by_path, changed.paths),
            (self._by_folder, changed.paths),
            (self._by_path, _folders(changed.paths)),
            (self._by_added_folder, changed.removed_folders),
            (self._by_removed_folder, _folders(changed.added)),
        )
        return {span for table, names in tables for name in names if name in table for span in table[name]}


def _folders(paths: Iterable[str]) -> set[str]:
    """Return all folders that contain these paths, at any depth."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


class _Merges:
    """Merges in memory, with a cache."""

    def __init__(self, replayer: Replayer, cache: MergeCache) -> None:
        self.replayer = replayer
        self.cache = cache
        self._used: set[Span] = set()

    def between(self, first: Branch, second: Branch) -> frozenset[str]:
        """Return where two branches conflict with each other, and not with each other's base."""
        paths = self._paths(first.tip, second.tip)
        if paths and first.base != second.base:
            paths = paths - self._paths(first.base, second.tip) - self._paths(first.tip, second.base)
        return paths

    def with_landed(self, branch: Branch, onto: Oid) -> frozenset[str]:
        """Return where a branch conflicts with merged work, and its base does not."""
        paths = self._paths(branch.tip, onto)
        return paths - self._paths(branch.base, onto) if paths else paths

    def _paths(self, first: Oid, second: Oid) -> frozenset[str]:
        pair = (first, second) if first < second else (second, first)
        self._used.add(pair)
        if pair not in self.cache:
            self.cache[pair] = frozenset(self.replayer.conflict_paths(*pair))
        return self.cache[pair]

    def forget_unused(self) -> None:
        for pair in [pair for pair in self.cache if pair not in self._used]:
            del self.cache[pair]
