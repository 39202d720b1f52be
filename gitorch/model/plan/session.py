"""A planning session: the plan as it stands, what was said about it, how it came to be, and whether it is agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import field

from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.plan.values import TaskPlan


class PlanMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contribution to the conversation: `who` is `person` or `planner`; `model` and `usage` are the planner's."""

    author: str = field(name="who")
    text: str
    time: datetime | None = field(default=None, name="at")
    model: str = ""
    usage: Usage | None = None


class PlanEdit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the plan: what was done in words, and when."""

    description: str = field(name="what")
    time: datetime | None = field(default=None, name="at")


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a plan was agreed to, and the tasks that it became.

    It is written before they are queued, and marked `done` afterwards; when that is taken back or brought back, it is
    not `done` meanwhile. `at` is when they say that they were created, and names the approval in the operation log, so
    that a command that comes after a crash in between can tell what happened.
    """

    approved_at: datetime = field(name="at")
    tasks: tuple[TaskId, ...]
    is_active: bool = field(default=False, name="done")


class PlanSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of a plan. `revision` counts its saves.

    `agent` is who draws it up ("" = heuristics), `proposal` what the planner proposed last and nobody has answered.
    """

    id: str
    plan: TaskPlan
    revision: int = 0
    constraints: tuple[str, ...] = ()
    agent: str = ""
    conversation: tuple[PlanMessage, ...] = ()
    history: tuple[PlanEdit, ...] = ()
    created: datetime | None = None
    proposal: TaskPlan | None = None
    approval: Approval | None = None

    @property
    def is_approved(self) -> bool:
        """Whether its tasks are queued."""
        return self.approval is not None and self.approval.is_active

    @property
    def usage(self) -> Usage | None:
        """What the model calls of the whole session consumed."""
        usages = [message.usage for message in self.conversation if message.usage]
        return sum(usages[1:], start=usages[0]) if usages else None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner answers: a valid plan, words for the person, and which model it cost how much (all its rounds)."""

    plan: TaskPlan
    reply: str = ""
    model: str = ""
    usage: Usage | None = None


class Planner(Protocol):
    """Draws up plans: a model, or heuristics. Raises `GitorchError` where no valid plan can be had."""

    def plan(self, goal: str, constraints: Sequence[str]) -> Proposal:
        """Break a goal into tasks."""

    def discuss(self, plan: TaskPlan, conversation: Sequence[PlanMessage], words: str) -> Proposal:
        """Answer a person's words with the whole plan as it should be: the same one where it should stay."""
