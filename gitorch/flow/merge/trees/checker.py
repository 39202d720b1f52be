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
from gitorch.rooms.base import RoomError
from gitorch.rooms.checks import run_checks
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment import check_environment
from gitorch.rooms.plain_folder import PlainFolder
from gitorch.rooms.ports import variables
from gitorch.rooms.prepare import prepare

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

    def __init__(
        self, context: RunContext, checks: Mapping[str, str], *, name: str = NAME, recheck: bool = False
    ) -> None:
        self.context = context
        self.checks = checks
        self.recheck = recheck
        self.width = context.config.merge.max_checks or min(_SLOTS, os.cpu_count() or 1)
        self.key = f"merges/{uuid.uuid4().hex[:12]}"
        self.slots = Slots(context, [name, *(f"{name}_{number}" for number in range(2, self.width + 1))])
        self.verdicts = Verdicts(context.folder, context.executor)
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
        for execution in self.context.executor.adopt(self.key):
            self.context.executor.cancel(execution, "its result is no longer needed", now=True)

    def check(
        self, commit: Oid, *, again: bool = False, saying: Callable[[str], None] = lambda _: None
    ) -> tuple[CheckResult, ...]:
        """Return what the checks say of a commit's tree; nothing where there are no checks.

        With `again` a tree that failed is judged a second time, and never a third: what passed one of the two times
        passes, and is flaky.
        """
        if not self.checks:
            return ()
        tree = self.context.repository.tree(commit)
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
        return environment_digest(self.context, self.checks)

    def _judge(self, commit: Oid, tree: Oid, saying: Callable[[str], None]) -> tuple[CheckResult, ...]:
        with self.slots.taken() as slot:
            worktree = slot.at(commit)
            slot.record_key(f"{self.key}/{tree}-{next(self._numbers)}")
            env = check_environment(self.context.environment)
            env |= variables(self.context.config, self.context.folder, slot.name)
            site = PlainFolder(worktree.path, env)
            if failed := self._prepare(slot, site, tree, saying):
                return (failed,)
            results: list[CheckResult] = []
            for name, command in self.checks.items():
                saying(name)
                check, prefix = {name: command}, f"{slot.key}/check"
                runs = run_checks(self.context, site, check, tree, prefix=prefix, execute=self._execute)
                results += [run.result for run in runs]
            return tuple(results)

    def _prepare(self, slot: Slot, site: PlainFolder, tree: Oid, saying: Callable[[str], None]) -> CheckResult | None:
        """Prepare a slot's worktree; return a failed result where that fails: the tree may be the reason."""
        if not (self.context.config.prepare.copy or self.context.config.prepare.run):
            return None
        saying(_UNPREPARED)
        try:
            prepare(self.context, site, slot.key)
        except RoomError as failure:
            output = self.context.folder / UNPREPARED_FOLDER / f"{slot.key.replace('/', '-')}.txt"
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(failure.reason, "utf-8", "surrogateescape")
            command = "; ".join(self.context.config.prepare.run)
            return CheckResult(name=_UNPREPARED, command=command, tree=tree, exit_code=None, output=str(output))
        return None

    def _execute(self, spec: Spec) -> Exit:
        if self._stopped.is_set():
            return Exit(cause="stopped")
        execution = self.context.executor.submit(spec)
        if self._stopped.is_set():
            self.context.executor.cancel(execution, "its result is no longer needed", now=True)
        status = self.context.executor.wait(execution)
        return status if isinstance(status, Exit) else Exit(cause="lost")
