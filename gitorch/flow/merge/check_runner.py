"""Check the trees of a merge: several at once, each tree once, and once more if a failure may be a flake."""

from __future__ import annotations

import queue
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from gitorch.flow.merge.values import Progress, Results, TreeCheck, TreeStore
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult


class TaskUnion(NamedTuple):
    """A commit to check, and the tasks that it is the union of."""

    commit: Oid
    tasks: tuple[TaskId, ...]


class CheckRunner:
    """Checks commits by their trees, and remembers the results.

    `flakes` holds the results of checks that failed and then passed; `finished` counts the trees checked.
    """

    def __init__(self, trees: TreeStore, check: TreeCheck, width: int) -> None:
        self.trees = trees
        self.check = check
        self.width = max(1, width)
        self.flakes: list[CheckResult] = []
        self.finished = 0
        self._results: dict[Oid, Results] = {}
        self._retried: set[Oid] = set()

    def results(self, commit: Oid) -> Results:
        """Return the results of a commit whose tree has been checked."""
        return self._results[self.trees.tree(commit)]

    def run(self, unions: Sequence[TaskUnion], doing: str) -> Generator[Progress, None, list[bool]]:
        """Check commits concurrently, and return whether each one passes. A tree with known results is skipped."""
        trees = [self.trees.tree(union.commit) for union in unions]
        unchecked = {tree: union for tree, union in zip(trees, unions, strict=True) if tree not in self._results}
        if unchecked:
            yield from self._run(unchecked, doing, retry=False)
        return [is_green(self._results[tree]) for tree in trees]

    def retry(self, union: TaskUnion) -> Generator[Progress, None, bool]:
        """Check a failing tree once more, unless that was done before; return whether it passes after all."""
        tree = self.trees.tree(union.commit)
        if tree not in self._retried:
            self._retried.add(tree)
            yield from self._run({tree: union}, "check once more", retry=True)
            self.flakes += [result for result in self._results[tree] if result.flaky]
        return is_green(self._results[tree])

    def _run(self, unions: Mapping[Oid, TaskUnion], doing: str, *, retry: bool) -> Generator[Progress, None, None]:
        self.trees.keep(*(union.commit for union in unions.values()))
        events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(min(self.width, len(unions)))
        try:
            running = {
                tree: pool.submit(self._check, tree, union.commit, retry, events) for tree, union in unions.items()
            }
            yield from self._follow(unions, running, events, doing)
        finally:
            # an interrupted merge does not wait for running checks: leaving the tree checker stops them
            pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, tree: Oid, commit: Oid, retry: bool, events: queue.SimpleQueue[_Event]) -> Results:
        try:
            return self.check(commit, retry=retry, on_check=lambda name: events.put(_Event(tree, name)))
        finally:
            events.put(_Event(tree, None))

    def _follow(
        self,
        unions: Mapping[Oid, TaskUnion],
        running: Mapping[Oid, Future[Results]],
        events: queue.SimpleQueue[_Event],
        doing: str,
    ) -> Generator[Progress, None, None]:
        total = self.finished + len(unions)
        waiting = set(running)
        while waiting:
            event = events.get()
            if event.check is None:
                self._results[event.tree] = running[event.tree].result()
                waiting.remove(event.tree)
                self.finished += 1
            else:
                yield Progress(doing, self.finished, total, unions[event.tree].tasks, event.check)


class _Event(msgspec.Struct, frozen=True):
    """A check of a tree starts, or (None) all checks of the tree have finished."""

    tree: Oid
    check: str | None


def is_green(results: Results) -> bool:
    """Return whether all checks passed."""
    return not failing(results)


def failing(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the checks that did not pass."""
    return [result for result in results if not result.passed]
