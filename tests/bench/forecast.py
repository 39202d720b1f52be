"""The conflict forecast of many branches, against merging every pair of them with the same engine.

    python -m tests.bench.forecast --files 10000 --branches 300

The same forecast is made three times: afresh, again with what is known, and again after one branch has moved.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from gitorch.flow.forecast.pairs import Branch, MergeCache, forecast, possible_conflicts
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.replay import Conflicted, MemoryReplayer, Merged, Replayer
from tests.bench.branches import make
from tests.bench.night import sealed

_Result = TypeVar("_Result")
BOUND = 1.0
"""Seconds that three hundred branches may take."""


class Counting(MemoryReplayer):
    """A replayer that counts its merges."""

    merges = 0

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        self.merges += 1
        return super().merge(ours, theirs)

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        self.merges += 1
        return super().conflict_paths(ours, theirs)


class Took(msgspec.Struct):
    """What something took: wall seconds, and processor seconds of this process and its children."""

    wall: float = 0.0
    processor: float = 0.0


def _used() -> float:
    return sum(
        found.ru_utime + found.ru_stime
        for found in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


@contextmanager
def timed() -> Iterator[Took]:
    """Time a block, with the processes that ended in it."""
    took, begun, used = Took(), time.perf_counter(), _used()
    yield took
    took.wall, took.processor = time.perf_counter() - begun, _used() - used


def measured(repository: Repository, what: str, work: Callable[[Counting], _Result]) -> _Result:
    """Do some work with a replayer of its own, and print what it took."""
    with timed() as took, Counting(repository) as replayer:
        found = work(replayer)
        merges = replayer.merges
    print(f"  {what:<34}{merges:>7} merges {took.wall:9.3f} s wall {took.processor:9.3f} s processor")
    return found


def brute(replayer: Replayer, branches: list[Branch], onto: Oid) -> set[tuple[TaskId, ...]]:
    """Merge every pair, and each branch with what is merged; return who conflicts. All stand on one base."""
    pairs = itertools.combinations(branches, 2)
    found: set[tuple[TaskId, ...]] = {(a.task, b.task) for a, b in pairs if _clash(replayer, a.tip, b.tip)}
    return found | {(one.task,) for one in branches if _clash(replayer, one.tip, onto)}


def _clash(replayer: Replayer, one: Oid, other: Oid) -> bool:
    return isinstance(replayer.merge(*sorted((one, other))), Conflicted)


def main() -> None:
    """Measure and print; exit with 1 when a conflict is missed, or three hundred branches take too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--branches", type=int, default=300)
    parser.add_argument("--clashing", type=float, default=0.2, help="the part that edits lines of another's")
    parser.add_argument("--brute", action="store_true", help="merge every pair, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-", dir=os.environ.get("GITORCH_BENCH_FOLDER")) as name:
        sealed(Path(name))
        folder = Path(name).resolve() / "repository"
        made = make(folder, files=options.files, branches=options.branches, clashing=options.clashing)
        branches = [Branch(TaskId(f"task-{at}"), own.base, own.tip) for at, own in enumerate(made.owns)]
        sys.exit(report(Repository.discover(folder), branches, made.onto, brute_too=options.brute))


def report(repository: Repository, branches: list[Branch], onto: Oid, *, brute_too: bool) -> int:
    """Print the figures; return the exit code."""
    named = possible_conflicts(repository, branches, onto)
    pairs = len(branches) * (len(branches) - 1) // 2
    print(
        f"{len(branches)} branches, {pairs} pairs: {len(named.pairs)} could conflict, "
        f"and {len(named.landed)} branches with what is merged"
    )
    known = MergeCache()
    begun = time.perf_counter()
    first = measured(repository, "forecast, nothing known", lambda one: forecast(one, branches, onto, known))
    seconds = time.perf_counter() - begun
    measured(repository, "again, everything known", lambda one: forecast(one, branches, onto, known))
    for key in [key for key in known if branches[0].tip in key]:
        del known[key]
    measured(repository, "again, one branch moved", lambda one: forecast(one, branches, onto, known))
    print(f"  {len(first)} conflicts")
    missed = set[tuple[TaskId, ...]]()
    if brute_too:
        expected = measured(repository, "every pair merged", lambda one: brute(one, branches, onto))
        told = {one.tasks for one in first}
        missed = expected - told
        print(f"  {len(missed)} missed, {len(told - expected)} made up")
    return 1 if missed or (len(branches) <= 300 and seconds > BOUND) else 0


if __name__ == "__main__":
    main()
