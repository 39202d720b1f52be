"""Trees judged for a merge: several at once, each once, and once more where a failure may be a flake."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import msgspec

from gitorch.flow.merge.values import Progress
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult
from gitorch.replay import Replayer

Results = tuple[CheckResult, ...]


class Check(Protocol):
    """Judges the tree of a commit, from any thread; `saying` hears the name of each check that begins.

    With `again` the tree is judged once more, and what failed before and passes now is flaky.
    """

    def __call__(
        self, commit: Oid, *, again: bool = False, saying: Callable[[str], None] = ...
    ) -> tuple[CheckResult, ...]: ...


class Trial(NamedTuple):
    """A commit to judge, and the tasks that it is the union of."""

    commit: Oid
    tasks: tuple[TaskId, ...]


class Trials:
    """Judges commits by their trees, and remembers what came out."""

    def __init__(self, replayer: Replayer, check: Check, width: int) -> None:
        self.replayer = replayer
        self.check = check
        self.width = max(1, width)
        self.flakes: list[CheckResult] = []
        self.made = 0
        self._known: dict[Oid, Results] = {}
        self._retried: set[Oid] = set()

    def results(self, commit: Oid) -> Results:
        """Return what the checks said of a commit's tree, which was judged."""
        return self._known[self.replayer.tree(commit)]

    def judge(self, trials: Sequence[Trial], doing: str) -> Generator[Progress, None, list[bool]]:
        """Judge commits, side by side, and return which are green. A tree that is known is not judged again."""
        trees = [self.replayer.tree(one.commit) for one in trials]
        fresh = {tree: one for tree, one in zip(trees, trials, strict=True) if tree not in self._known}
        if fresh:
            yield from self._run(fresh, doing, again=False)
        return [green(self._known[tree]) for tree in trees]

    def retry(self, trial: Trial) -> Generator[Progress, None, bool]:
        """Judge a red tree once more, unless that was done; return whether it is green after all."""
        tree = self.replayer.tree(trial.commit)
        if tree not in self._retried:
            self._retried.add(tree)
            yield from self._run({tree: trial}, "check once more", again=True)
            self.flakes += [result for result in self._known[tree] if result.flaky]
        return green(self._known[tree])

    def _run(self, fresh: dict[Oid, Trial], doing: str, *, again: bool) -> Generator[Progress, None, None]:
        self.replayer.keep(*(one.commit for one in fresh.values()))
        events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(min(self.width, len(fresh)))
        try:
            running = {tree: pool.submit(self._one, tree, one.commit, again, events) for tree, one in fresh.items()}
            yield from self._follow(fresh, running, events, doing)
        finally:
            # who is interrupted does not wait for the checks that run: the judge stops them
            pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, tree: Oid, commit: Oid, again: bool, events: queue.SimpleQueue[_Event]) -> Results:
        try:
            return self.check(commit, again=again, saying=lambda name: events.put(_Event(tree, name)))
        finally:
            events.put(_Event(tree, None))

    def _follow(
        self,
        fresh: dict[Oid, Trial],
        running: dict[Oid, Future[Results]],
        events: queue.SimpleQueue[_Event],
        doing: str,
    ) -> Generator[Progress, None, None]:
        total = self.made + len(fresh)
        waiting = set(running)
        while waiting:
            event = events.get()
            if event.check is None:
                self._known[event.tree] = running[event.tree].result()
                waiting.remove(event.tree)
                self.made += 1
            else:
                yield Progress(doing, self.made, total, fresh[event.tree].tasks, event.check)


class _Event(msgspec.Struct, frozen=True):
    """A check of a tree begins, or (None) the tree is judged."""

    tree: Oid
    check: str | None


def green(results: Results) -> bool:
    """Tell whether all checks passed."""
    return not failing(results)


def failing(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the checks that did not pass."""
    return [result for result in results if not result.passed]
