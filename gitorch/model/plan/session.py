"""A planning session: the plan as it stands, what was said about it, how it came to be, and whether it is agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.plan.values import Plan


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contribution to the conversation: `who` is `person` or `planner`; `model` and `usage` are the planner's."""

    who: str
    text: str
    at: datetime | None = None
    model: str = ""
    usage: Usage | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the plan: what was done in words, and when."""

    what: str
    at: datetime | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a plan was agreed to, and the tasks that it became.

    It is written before they are queued, and marked `done` afterwards; when that is taken back or brought back, it is
    not `done` meanwhile. `at` is when they say that they were created, and names the approval in the operation log, so
    that a command that comes after a crash in between can tell what happened.
    """

    at: datetime
    tasks: tuple[TaskId, ...]
    done: bool = False


class PlanSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of a plan. `revision` counts its saves.

    `agent` is who draws it up ("" = heuristics), `proposal` what the planner proposed last and nobody has answered.
    """

    id: str
    plan: Plan
    revision: int = 0
    constraints: tuple[str, ...] = ()
    agent: str = ""
    conversation: tuple[Said, ...] = ()
    history: tuple[Step, ...] = ()
    created: datetime | None = None
    proposal: Plan | None = None
    approval: Approval | None = None

    @property
    def is_approved(self) -> bool:
        """Whether its tasks are queued."""
        return self.approval is not None and self.approval.done

    @property
    def usage(self) -> Usage | None:
        """What the model calls of the whole session consumed."""
        known = [said.usage for said in self.conversation if said.usage]
        return sum(known[1:], start=known[0]) if known else None


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner answers: a valid plan, words for the person, and which model it cost how much (all its rounds)."""

    plan: Plan
    reply: str = ""
    model: str = ""
    usage: Usage | None = None


class Planner(Protocol):
    """Draws up plans: a model, or heuristics. Raises `GitorchError` where no valid plan can be had."""

    def plan(self, goal: str, constraints: Sequence[str]) -> Proposed:
        """Break a goal into tasks."""

    def discuss(self, plan: Plan, conversation: Sequence[Said], words: str) -> Proposed:
        """Answer a person's words with the whole plan as it should be: the same one where it should stay."""
