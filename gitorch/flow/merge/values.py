"""What a merge is made of: the tasks that go in, clash, fail or wait, as values."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gitorch.flow.merge.into import Kept, Rebased, Target
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task
from gitorch.replay import Conflicted, Replayed

MERGEABLE = frozenset({State.APPROVED, State.CONFLICTED})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One task that goes in: its own commits, replayed."""

    task: Task
    replayed: Replayed
    paths: frozenset[str]


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """One task that does not go in: the paths, and the tasks before it without which it would.

    No partner means that it conflicts with what is merged already. `conflict` is what git made of it.
    """

    task: Task
    paths: tuple[str, ...]
    partners: tuple[TaskId, ...]
    conflict: Conflicted | None = None


class Held(msgspec.Struct, frozen=True):
    """One task that has to wait, and for what."""

    task: Task
    reason: str


class Failure(msgspec.Struct, frozen=True):
    """One task with which a check fails that passed without it.

    `partners` are the tasks that it fails together with, `alone` whether it passes without them (with what it builds
    on; None: not known), `output` the file that holds what the check printed.
    """

    task: Task
    check: str
    partners: tuple[TaskId, ...] = ()
    alone: bool | None = None
    output: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge would do. Nothing has been moved.

    `order` is that of all tasks that were asked for. `verify` is how the trees were checked (`never`: they were not),
    `results` what the checks said of the tip's tree, `flakes` those that failed and passed on one and the same tree,
    `red_base` the checks that fail without any of the tasks. `before` is where the integration branch is, `onto` what
    the tasks go onto: the same, or (`rebased`) the integration branch replayed on a base that moved; `target` the
    branch of the user's that it is brought to.
    """

    before: Oid | None
    onto: Oid
    order: tuple[Task, ...] = ()
    steps: tuple[Step, ...] = ()
    clashes: tuple[Clash, ...] = ()
    held: tuple[Held, ...] = ()
    failures: tuple[Failure, ...] = ()
    results: tuple[CheckResult, ...] = ()
    flakes: tuple[CheckResult, ...] = ()
    red_base: str = ""
    verify: str = "never"
    rebased: Rebased | Kept | None = None
    target: Target | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether the integration branch cannot be replayed on the branch that moved: nothing goes in."""
        return isinstance(self.rebased, Rebased) and isinstance(self.rebased.replayed, Conflicted)

    @property
    def tip(self) -> Oid:
        return self.steps[-1].replayed.tip if self.steps else self.onto


class Progress(msgspec.Struct, frozen=True):
    """What a merge is doing now, for whoever watches: `step` things of `of` are done.

    `tasks` are those whose union is being checked, or the one that is being replayed; `check` is the name of the check
    that runs.
    """

    doing: str
    step: int
    of: int
    tasks: tuple[TaskId, ...] = ()
    check: str = ""


Tell = Callable[[Progress], None]
"""Hears what is being done while a plan is made: at most once for each branch and kind of work."""


def silent(now: Progress) -> None:
    """Tell nobody."""
