"""The seam behind which a resolution is judged: by the checks of the repository and of all tasks that it affects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

import msgspec

from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult, Task


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say of a tree. `reason` says why it is not green (empty: it is), `check` is the one that fails.

    `started` tells that checks were started for it, rather than known. Without `is_known` no check was allowed to run.
    """

    reason: str = ""
    check: str = ""
    results: tuple[CheckResult, ...] = ()
    started: bool = False
    is_known: bool = True

    @property
    def is_green(self) -> bool:
        return not self.reason


UNKNOWN = Verdict(reason="its checks have not run yet", is_known=False)
"""The verdict where no check may run and none has."""


class Judge(Protocol):
    """Judges trees; each tree once. Without `may_run` only what is known counts."""

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        """Judge a task's own branch: by the repository's checks and its own, which it must have."""

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        """Judge a commit that holds these tasks: by the repository's checks and their own ones."""


class StoppableJudge(Judge, Protocol):
    """A judge whose checks can be stopped, from any thread."""

    def stop(self) -> None: ...


class DeferredJudge:
    """A judge that is made when it is first asked: most plans hold nothing that a check could prove.

    Leaving the context stops its checks.
    """

    def __init__(self, make: Callable[[], StoppableJudge]) -> None:
        self._make = make
        self._judge: StoppableJudge | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._judge is not None:
            self._judge.stop()

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        """Judge a task's own branch."""
        return self._opened_judge().alone(task, may_run=may_run)

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        """Judge a commit that holds these tasks."""
        return self._opened_judge().together(commit, tasks, may_run=may_run)

    def _opened_judge(self) -> StoppableJudge:
        if self._judge is None:
            self._judge = self._make()
        return self._judge
