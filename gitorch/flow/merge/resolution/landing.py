"""A merge in the making that holds resolutions: the tasks that are in so far, and how their conflicts were resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

from gitorch.flow.merge.values import MergeStep
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import CheckResult

Choices = Mapping[str, int]
"""Which proposal is taken for a path, by position; the first one for all others."""


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks on top of each other on `onto`; `merged` are the tips of all that went in before.

    `choices` are those of each resolved task; `results` are the check results of the last proof, for the tip's tree.
    """

    onto: Oid
    merged: tuple[Oid, ...]
    steps: tuple[MergeStep, ...] = ()
    choices: Mapping[TaskId, Choices] = {}
    resolutions: tuple[Resolution, ...] = ()
    results: tuple[CheckResult, ...] = ()

    @property
    def tip(self) -> Oid:
        return self.steps[-1].replayed.tip if self.steps else self.onto

    @property
    def tips(self) -> tuple[Oid, ...]:
        """The tips of the branches that are in with everything that they reach."""
        return (*self.merged, *(tip for step in self.steps for tip in step.tips))

    @property
    def names(self) -> frozenset[TaskId]:
        return frozenset(step.task.id for step in self.steps)

    def add(self, step: MergeStep, results: tuple[CheckResult, ...] = ()) -> Self:
        """Return this with a task on top; `results` are those of its proof."""
        return msgspec.structs.replace(self, steps=(*self.steps, step), results=results)

    def add_resolved(self, step: MergeStep, resolution: Resolution, choices: Choices) -> Self:
        """Return this with a task on top whose conflict is resolved."""
        return msgspec.structs.replace(
            self.add(step, resolution.checks),
            choices={**self.choices, step.task.id: choices},
            resolutions=(*self.resolutions, resolution),
        )
