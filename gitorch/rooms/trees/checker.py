"""Check trees: each once, from the cache or in a worktree of the pool."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Self

from gitorch.executors.protocol import Spec
from gitorch.executors.starting import wait_for_end
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees.check_cache import CheckCache, TreeResults, environment_digest
from gitorch.rooms.trees.clean_checkout import check_commit
from gitorch.rooms.trees.worktree_pool import WorktreePool

NAME = "integration"
"""The name of the first worktree. It is reserved: no task can have it. The others are `integration_2`, ..."""

_DEFAULT_WIDTH = 2
"""How many trees are checked at once by default: checks are heavy, and often parallel themselves."""


class TreeChecker:
    """Runs the same checks on trees, from any thread, and each tree once.

    Results of earlier commands and of attempts count too, unless `recheck`. `name` is the name of the worktrees.
    Leaving the context stops running checks.
    """

    def __init__(
        self, context: RunContext, checks: Mapping[str, str], *, name: str = NAME, recheck: bool = False
    ) -> None:
        self.context = context
        self.checks = checks
        self.recheck = recheck
        self.parallel = context.config.merge.parallel_checks or min(_DEFAULT_WIDTH, os.cpu_count() or 1)
        self.key = f"merges/{uuid.uuid4().hex[:12]}"
        self.pool = WorktreePool(context, [name, *(f"{name}_{number}" for number in range(2, self.parallel + 1))])
        self.cache = CheckCache(context.folder, context.executor)
        self._results: dict[Oid, TreeResults] = {}
        self._numbers = itertools.count(1)
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop running checks, from any thread; their results stay unknown."""
        self._stopped.set()
        for execution in self.context.executor.adopt(self.key):
            self.context.executor.cancel(execution, "its result is no longer needed", now=True)

    def check(
        self, commit: Oid, *, retry: bool = False, on_check: Callable[[str], None] = lambda _: None
    ) -> tuple[CheckResult, ...]:
        """Return the check results of a commit's tree; empty if there are no checks. Calls `on_check` as each starts.

        With `retry` a tree that failed is checked a second time, and never a third: a check that passes one of the
        two times passes, and is flaky.
        """
        if not self.checks:
            return ()
        tree = self.context.repository.tree(commit)
        checked = self._results.get(tree) or self._cached(tree)
        if checked is None or (retry and checked.times == 1 and not checked.passed):
            latest = TreeResults(self._run(commit, on_check))
            checked = checked.combined(latest) if checked else latest
            if not self._stopped.is_set():
                self.cache.remember(tree, checked, self._environment)
        self._results[tree] = checked
        return checked.results

    def known(self, commit: Oid) -> tuple[CheckResult, ...] | None:
        """Return the check results of a commit's tree without running anything; None if they are not known."""
        tree = self.context.repository.tree(commit)
        checked = self._results.get(tree) or self._cached(tree)
        return checked.results if checked else None

    def _cached(self, tree: Oid) -> TreeResults | None:
        return None if self.recheck else self.cache.find(tree, self.checks, self._environment)

    @cached_property
    def _environment(self) -> str:
        return environment_digest(self.context, self.checks)

    def _run(self, commit: Oid, on_check: Callable[[str], None]) -> tuple[CheckResult, ...]:
        self.context.before_checks()
        key = f"{self.key}/{self.context.repository.tree(commit)}-{next(self._numbers)}"
        runs = check_commit(
            self.context, self.pool, self.checks, commit, key=key, execute=self._execute, on_check=on_check
        )
        return tuple(run.result for run in runs)

    def _execute(self, spec: Spec) -> Exit:
        if self._stopped.is_set():
            return Exit(cause="stopped")
        execution = self.context.executor.submit(spec)
        if self._stopped.is_set():
            self.context.executor.cancel(execution, "its result is no longer needed", now=True)
        return wait_for_end(self.context.executor, spec)
