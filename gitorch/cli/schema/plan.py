"""The answers of `plan`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, Timestamp, known_time, timestamp
from gitorch.cli.schema.task import CostJson, TaskJson, tasks_json
from gitorch.model.outcome import Usage
from gitorch.model.plan import (
    Approval,
    Difference,
    PlanMessage,
    PlannedTask,
    PlanSession,
    Size,
    TaskPlan,
    critical_path,
    difference,
    phases,
)
from gitorch.model.task import Priority, Task

PlanState = Literal["approved", "draft"]


class PlannedTaskJson(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a plan."""

    id: str
    """The name within the plan."""
    title: str
    prompt: str
    role: str | None
    """Null when it is chosen as the task is queued."""
    agent: str | None
    """Null when it is chosen as the task is queued."""
    priority: Priority
    after: list[str]
    paths: list[str]
    acceptance: list[str]
    size: Size

    @classmethod
    def of(cls, task: PlannedTask) -> PlannedTaskJson:
        """Return a planned task."""
        return cls(
            id=task.id,
            title=task.title,
            prompt=task.prompt,
            role=task.role or None,
            agent=task.agent or None,
            priority=task.priority,
            after=list(task.after),
            paths=list(task.paths),
            acceptance=list(task.acceptance),
            size=task.size,
        )


class MessageJson(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation about a plan."""

    author: str = msgspec.field(name="who")
    """person or planner."""
    text: str
    time: Timestamp | None = msgspec.field(name="at")
    model: str | Absent = msgspec.UNSET
    """The model that wrote it."""
    cost: CostJson | Absent | None = msgspec.UNSET

    @classmethod
    def of(cls, message: PlanMessage) -> MessageJson:
        """Return a message."""
        if not message.model:
            return cls(author=message.author, text=message.text, time=known_time(message.time))
        return cls(
            author=message.author,
            text=message.text,
            time=known_time(message.time),
            model=message.model,
            cost=cost_json(message.usage),
        )


class FieldChangeJson(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a planned task, before and after a change."""

    task: str
    field: str
    before: Any
    after: Any


class PlanChangesJson(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between two plans."""

    added: list[PlannedTaskJson]
    removed: list[str]
    changed: list[FieldChangeJson]
    reordered: bool
    """Whether tasks that are in both plans changed their order."""

    @classmethod
    def of(cls, changes: Difference) -> PlanChangesJson:
        """Return a difference."""
        return cls(
            added=[PlannedTaskJson.of(task) for task in changes.added],
            removed=[task.id for task in changes.removed],
            changed=[
                FieldChangeJson(task=change.task, field=change.field, before=change.before, after=change.after)
                for change in changes.changed
            ],
            reordered=changes.reordered,
        )


class PlanStepJson(msgspec.Struct, frozen=True, kw_only=True):
    """One change in the history of a plan."""

    description: str = msgspec.field(name="what")
    time: Timestamp | None = msgspec.field(name="at")


class ApprovalJson(msgspec.Struct, frozen=True, kw_only=True):
    """When a plan was approved, and the ids of the tasks that were queued."""

    time: Timestamp = msgspec.field(name="at")
    tasks: list[str]


class PlanJson(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with its conversation and its history."""

    id: str
    goal: str
    state: PlanState
    made_by: str | None
    """The model that made it, or that it was made by heuristics or by hand."""
    model: str | None
    """The model that answered last."""
    agent: str | None
    """The agent that is asked; null for heuristics."""
    cost: CostJson | None
    """What all answers together consumed."""
    constraints: list[str]
    tasks: list[PlannedTaskJson]
    phases: list[list[str]]
    """Ids of tasks that can be done at the same time, phase by phase."""
    critical_path: list[str]
    conversation: list[MessageJson]
    history: list[PlanStepJson]
    created: Timestamp | None
    revision: int
    """How often the plan was saved."""
    proposal: PlanChangesJson | Absent = msgspec.UNSET
    """What the model proposed last, until it is taken or left."""
    approved: ApprovalJson | Absent = msgspec.UNSET

    @classmethod
    def of(cls, session: PlanSession) -> PlanJson:
        """Return a plan."""
        plan = session.plan
        return cls(
            id=session.id,
            goal=plan.goal,
            state=plan_state(session),
            made_by=plan.made_by or None,
            model=last_model(session),
            agent=session.agent or None,
            cost=cost_json(session.usage),
            constraints=list(session.constraints),
            tasks=[PlannedTaskJson.of(task) for task in plan.tasks],
            phases=[[task.id for task in phase] for phase in phases(plan)],
            critical_path=[task.id for task in critical_path(plan)],
            conversation=[MessageJson.of(message) for message in session.conversation],
            history=[
                PlanStepJson(description=step.description, time=known_time(step.time)) for step in session.history
            ],
            created=known_time(session.created),
            revision=session.revision,
            proposal=proposal_json(plan, session.proposal),
            approved=approval_json(session.approval),
        )


class PlanSummaryJson(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as `plan list` shows it."""

    id: str
    goal: str
    state: PlanState
    made_by: str | None
    """The model that made it, or that it was made by heuristics or by hand."""
    model: str | None
    """The model that answered last."""
    cost: CostJson | None
    created: Timestamp | None
    revision: int
    tasks: int
    """How many tasks it has."""

    @classmethod
    def of(cls, session: PlanSession) -> PlanSummaryJson:
        """Return a plan in short."""
        return cls(
            id=session.id,
            goal=session.plan.goal,
            state=plan_state(session),
            made_by=session.plan.made_by or None,
            model=last_model(session),
            cost=cost_json(session.usage),
            created=known_time(session.created),
            revision=session.revision,
            tasks=len(session.plan.tasks),
        )


class PlanAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """A plan as it is after the command."""

    plan: PlanJson

    @classmethod
    def of(cls, session: PlanSession) -> PlanAnswer:
        """Return the answer for a plan."""
        return cls(plan=PlanJson.of(session))


class PlanDiscussAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """The answer of `plan discuss`: the reply of the model, and the changes that it proposes."""

    plan: PlanJson
    reply: str
    changes: PlanChangesJson
    applied: bool = msgspec.field(name="taken")
    """Whether the changes were made."""

    @classmethod
    def of(cls, session: PlanSession, changes: Difference, *, accepted: bool) -> PlanDiscussAnswer:
        """Return the answer for a plan whose last message proposes `changes`."""
        return cls(
            plan=PlanJson.of(session),
            reply=session.conversation[-1].text,
            changes=PlanChangesJson.of(changes),
            applied=accepted,
        )


class PlanApproveAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """The answer of `plan approve`: the plan and the tasks that were queued."""

    plan: PlanJson
    tasks: list[TaskJson]

    @classmethod
    def of(cls, session: PlanSession, tasks: Iterable[Task]) -> PlanApproveAnswer:
        """Return the answer for an approved plan."""
        return cls(plan=PlanJson.of(session), tasks=tasks_json(tasks))


class PlanListAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """The answer of `plan list`."""

    plans: list[PlanSummaryJson]

    @classmethod
    def of(cls, sessions: Iterable[PlanSession]) -> PlanListAnswer:
        """Return the answer for these plans."""
        return cls(plans=[PlanSummaryJson.of(session) for session in sessions])


class PlanTaskAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """The answer of `plan show PLAN TASK`."""

    task: PlannedTaskJson


class PlanDropAnswer(JsonAnswer, tag="gitorch/plan/1", frozen=True, kw_only=True):
    """The answer of `plan drop`."""

    dropped: str | None
    """The id of the plan; null when it was not dropped."""
    folder: str | Absent = msgspec.field(default=msgspec.UNSET, name="kept")
    """The folder that the dropped plan was moved to."""


def plan_state(session: PlanSession) -> PlanState:
    """Return whether a plan is approved, as a word."""
    return "approved" if session.is_approved else "draft"


def last_model(session: PlanSession) -> str | None:
    """Return the model that answered last."""
    return next((message.model for message in reversed(session.conversation) if message.model), None)


def cost_json(usage: Usage | None) -> CostJson | None:
    """Return what was consumed, where that is known."""
    return CostJson.of(usage) if usage else None


def proposal_json(plan: TaskPlan, proposal: TaskPlan | None) -> PlanChangesJson | Absent:
    """Return the changes of a proposal, if any."""
    return msgspec.UNSET if proposal is None else PlanChangesJson.of(difference(plan, proposal))


def approval_json(approval: Approval | None) -> ApprovalJson | Absent:
    """Return a completed approval."""
    if approval is None or not approval.is_active:
        return msgspec.UNSET
    return ApprovalJson(time=timestamp(approval.approved_at), tasks=list(approval.tasks))
