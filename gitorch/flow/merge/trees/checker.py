"""Judges trees: each once, by what is remembered or in a worktree of the pool."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Self

from gitorch.executors.base import Spec
from gitorch.flow.merge.trees.check_cache import UNPREPARED_FOLDER, Judged, Verdicts, environment_digest
from gitorch.flow.merge.trees.worktree_pool import Slot, Slots
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms import environment
from gitorch.rooms.environment import Means

NAME = "integration"
"""The name of the first worktree: reserved, so that no task can have it. The others are `integration_2`, ..."""

_SLOTS = 2
"""How many trees are checked at once where nothing is set: checks are heavy, and often parallel themselves."""

_UNPREPARED = "prepare"
"""The name under which a tree that could not be prepared fails."""


class Judge:
    """Judges trees by the same checks, from any thread; a tree that was judged once is not judged again.

    What earlier commands found counts, too, unless `recheck`; what attempts found does not, because agents leave
    files that git ignores beside what they commit. `name` is that of the worktrees. Leaving it ends what runs.
    """

    def __init__(self, means: Means, checks: Mapping[str, str], *, name: str = NAME, recheck: bool = False) -> None:
        self.means = means
        self.checks = checks
        self.recheck = recheck
        self.width = means.config.merge.max_checks or min(_SLOTS, os.cpu_count() or 1)
        self.key = f"merges/{uuid.uuid4().hex[:12]}"
        self.slots = Slots(means, [name, *(f"{name}_{number}" for number in range(2, self.width + 1))])
        self.verdicts = Verdicts(means.folder, means.executor)
        self._known: dict[Oid, Judged] = {}
        self._numbers = itertools.count(1)
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End what runs, from any thread; what it would have said is not known."""
        self._stopped.set()
        for execution in self.means.executor.adopt(self.key):
            self.means.executor.cancel(execution, "its result is no longer needed", now=True)

    def check(
        self, commit: Oid, *, again: bool = False, saying: Callable[[str], None] = lambda _: None
    ) -> tuple[CheckResult, ...]:
        """Return what the checks say of a commit's tree; nothing where there are no checks.

        With `again` a tree that failed is judged a second time, and never a third: what passed one of the two times
        passes, and is flaky.
        """
        if not self.checks:
            return ()
        tree = self.means.repository.tree(commit)
        judged = self._known.get(tree) or self._remembered(tree)
        if judged is None or (again and judged.times == 1 and not judged.passed):
            now = Judged(self._judge(commit, tree, saying))
            judged = judged.combined(now) if judged else now
            if not self._stopped.is_set():
                self.verdicts.remember(tree, judged, self._environment)
        self._known[tree] = judged
        return judged.results

    def _remembered(self, tree: Oid) -> Judged | None:
        return None if self.recheck else self.verdicts.find(tree, self.checks, self._environment)

    @cached_property
    def _environment(self) -> str:
        return environment_digest(self.means, self.checks)

    def _judge(self, commit: Oid, tree: Oid, saying: Callable[[str], None]) -> tuple[CheckResult, ...]:
        with self.slots.taken() as slot:
            worktree = slot.at(commit)
            slot.record_key(f"{self.key}/{tree}-{next(self._numbers)}")
            env = environment.check_environment(self.means)
            env |= environment.variables(self.means.config, self.means.folder, slot.name)
            if failed := self._prepare(slot, tree, env, saying):
                return (failed,)
            results: list[CheckResult] = []
            for name, command in self.checks.items():
                saying(name)
                runs = environment.run_checks(
                    self.means, {name: command}, tree, worktree.path, f"{slot.key}/check", env, self._execute
                )
                results += [run.result for run in runs]
            return tuple(results)

    def _prepare(
        self, slot: Slot, tree: Oid, env: Mapping[str, str], saying: Callable[[str], None]
    ) -> CheckResult | None:
        """Prepare a slot's worktree; return a failed result where that fails: the tree may be the reason."""
        if not (self.means.config.prepare.copy or self.means.config.prepare.run):
            return None
        saying(_UNPREPARED)
        try:
            environment.prepare(self.means, slot.worktree, slot.key, env)
        except environment.Failed as failure:
            output = self.means.folder / UNPREPARED_FOLDER / f"{slot.key.replace('/', '-')}.txt"
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(failure.reason, "utf-8", "surrogateescape")
            command = "; ".join(self.means.config.prepare.run)
            return CheckResult(name=_UNPREPARED, command=command, tree=tree, exit_code=None, output=str(output))
        return None

    def _execute(self, spec: Spec) -> Exit:
        if self._stopped.is_set():
            return Exit(cause="stopped")
        execution = self.means.executor.submit(spec)
        if self._stopped.is_set():
            self.means.executor.cancel(execution, "its result is no longer needed", now=True)
        status = self.means.executor.wait(execution)
        return status if isinstance(status, Exit) else Exit(cause="lost")
