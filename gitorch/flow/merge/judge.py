"""The seam behind which a resolution is judged: by the checks of the repository and of all tasks that it affects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult, Task

UNKNOWN = "its checks have not run yet"
"""The reason of a verdict that is not known, where no checks may run."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say of a tree. `reason` says why it is not green (empty: it is), `check` is the one that fails.

    `started` tells that checks were started for it, rather than known.
    """

    reason: str = ""
    check: str = ""
    results: tuple[CheckResult, ...] = ()
    started: bool = False

    @property
    def is_green(self) -> bool:
        return not self.reason


class Judge(Protocol):
    """Judges trees; each tree once. Without `may_run` only what is known counts."""

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        """Judge a task's own branch: by the repository's checks and its own, which it must have."""

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        """Judge a commit that holds these tasks: by the repository's checks and their own ones."""
