"""The conflict forecast misses nothing that merging all pairs would find, and names nothing that it would not."""

from __future__ import annotations

import itertools
import os

from gitorch.flow.forecast.pairs import Branch, MergeCache, forecast, possible_conflicts
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.replay import Conflicted, MemoryReplayer, Merged, Replayer
from tests.support.git import git
from tests.support.histories import Flock, write_flocks
from tests.support.scale import scaled

FLOCKS = int(os.environ.get("GITORCH_TEST_HISTORIES") or scaled(25))


def branches_of(flock: Flock) -> list[Branch]:
    return [Branch(TaskId(f"t{at}"), base, tip) for at, (base, tip) in enumerate(flock.branches)]


class Brute:
    """Every pair, merged by git: no filter, and no memory of the forecast's."""

    def __init__(self, replayer: Replayer) -> None:
        self.replayer = replayer
        self.known: dict[tuple[Oid, Oid], frozenset[str]] = {}

    def paths(self, one: Oid, other: Oid) -> frozenset[str]:
        pair = min(one, other), max(one, other)
        if pair not in self.known:
            found = self.replayer.merge(*pair)
            self.known[pair] = frozenset(found.paths) if isinstance(found, Conflicted) else frozenset()
        return self.known[pair]

    def conflicts(self, branches: list[Branch], onto: Oid) -> dict[tuple[TaskId, ...], frozenset[str]]:
        found: dict[tuple[TaskId, ...], frozenset[str]] = {}
        for one, other in itertools.combinations(branches, 2):
            paths = self.paths(one.tip, other.tip)
            paths = paths - self.paths(one.base, other.tip) - self.paths(one.tip, other.base)
            found[one.task, other.task] = paths
        for one in branches:
            found[one.task,] = self.paths(one.tip, onto) - self.paths(one.base, onto)
        return {tasks: paths for tasks, paths in found.items() if paths}


def test_no_conflict_is_missed_and_none_made_up(empty: Repository) -> None:
    """On random flocks (stacks, two feet, renames, folders moved, files for folders) it says what brute force says."""
    assert empty.work_tree is not None
    conflicts = clean = 0
    for flock in write_flocks(empty.work_tree, range(FLOCKS)):
        branches = branches_of(flock)
        with MemoryReplayer(empty) as replayer:
            expected = Brute(replayer).conflicts(branches, flock.onto)
        with MemoryReplayer(empty) as replayer:
            found = {one.tasks: frozenset(one.paths) for one in forecast(replayer, branches, flock.onto)}
        assert found == expected, flock
        named = possible_conflicts(empty, [one for one in branches if one.base != one.tip], flock.onto)
        conflicts += len(expected)
        clean += len(branches) * (len(branches) - 1) // 2 - len(named.pairs)
    assert conflicts, "a test that sees no conflict says little"
    assert clean, "a filter that names every pair is none"


def test_what_was_merged_once_is_not_merged_again(empty: Repository) -> None:
    """With what it knows from before, the forecast is the same, and a branch that has gone is forgotten."""
    assert empty.work_tree is not None
    (flock,) = write_flocks(empty.work_tree, [3], size=8)
    branches, known = branches_of(flock), MergeCache()
    with MemoryReplayer(empty) as replayer:
        first = forecast(replayer, branches, flock.onto, known)
        merged = dict(known)
        assert merged
        with Counting(empty) as counting:
            assert forecast(counting, branches, flock.onto, known) == first
            assert counting.merges == 0
        forecast(replayer, branches[:1], flock.onto, known)
    assert len(known) < len(merged)


class Counting(MemoryReplayer):
    """A replayer that counts its merges."""

    merges = 0

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        self.merges += 1
        return super().merge(ours, theirs)

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        self.merges += 1
        return super().conflict_paths(ours, theirs)


def test_what_was_only_looked_at_can_be_merged_later(empty: Repository) -> None:
    """The files of a merge that nobody loaded are removed; the same merge made again is whole, and can be stored."""
    assert empty.work_tree is not None
    for flock in write_flocks(empty.work_tree, range(scaled(4))):
        tips = [tip for _, tip in flock.branches]
        with MemoryReplayer(empty) as replayer, MemoryReplayer(empty) as fresh:
            for ours, theirs in itertools.combinations(tips, 2):
                paths = replayer.conflict_paths(ours, theirs)
                replayer._quarantine.remove_unloaded()
                outcome = replayer.merge(ours, theirs)
                assert outcome == fresh.merge(ours, theirs)
                assert paths == (outcome.paths if isinstance(outcome, Conflicted) else ())
                if isinstance(outcome, Merged):
                    replayer.keep_tree(outcome.tree)
        git("fsck", "--no-dangling", cwd=empty.work_tree)
