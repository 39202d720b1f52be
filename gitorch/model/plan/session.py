"""A planning session: the current plan, its conversation, its history, and its approval."""

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
    """One message of the conversation: `author` is `person` or `planner`; `model` and `usage` are the planner's."""

    author: str = field(name="who")
    text: str
    time: datetime | None = field(default=None, name="at")
    model: str = ""
    usage: Usage | None = None


class PlanEdit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the plan: its description and time."""

    description: str = field(name="what")
    time: datetime | None = field(default=None, name="at")


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The approval of a plan: when, and the tasks that the plan became.

    It is written before they are queued, and `is_active` afterwards; while it is undone or redone, it is not active.
    `approved_at` is also the creation time of the tasks, and identifies the approval in the operation log. So the next
    command after a crash can determine what happened.
    """

    approved_at: datetime = field(name="at")
    tasks: tuple[TaskId, ...]
    is_active: bool = field(default=False, name="done")


class PlanSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A saved plan. `revision` counts its saves.

    `agent` is the planner ("" = heuristics), `proposal` the planner's last proposal without an answer.
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
        """The total usage of the session's model calls."""
        usages = [message.usage for message in self.conversation if message.usage]
        return sum(usages[1:], start=usages[0]) if usages else None


class PlanProposal(msgspec.Struct, frozen=True, kw_only=True):
    """A planner's answer: a valid plan, a reply to the person, the model, and the usage of all rounds."""

    plan: TaskPlan
    reply: str = ""
    model: str = ""
    usage: Usage | None = None


class Planner(Protocol):
    """Creates plans: a model, or heuristics. Raises `GitorchError` if it cannot create a valid plan."""

    def plan(self, goal: str, constraints: Sequence[str]) -> PlanProposal:
        """Break a goal into tasks."""

    def discuss(self, plan: TaskPlan, conversation: Sequence[PlanMessage], words: str) -> PlanProposal:
        """Answer a person's message with the whole plan, changed or not."""
