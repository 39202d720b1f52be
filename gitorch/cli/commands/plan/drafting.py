"""Have a planner draw up the tasks of a goal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gitorch import services
from gitorch.cli.commands.plan.output import print_cost, print_planner
from gitorch.cli.session import Session
from gitorch.errors import GitorchError
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.flow.intake import TaskDraft
    from gitorch.model.plan import PlanSession
    from gitorch.services.planner import PlannerChoice


def draw_up(session: Session, plan: PlanSession, planner: PlannerChoice) -> PlanSession:
    """Return a plan with the tasks that the planner proposes; print who is asked and what the answer costs."""
    print_planner(session, planner)
    planned = services.plan.draw_up(session.workspace, plan, planner)
    print_cost(session, planned)
    return planned


def draw_up_new(session: Session, goal: str, constraints: Sequence[str], planner: PlannerChoice) -> PlanSession:
    """Create a plan and draw up its tasks; drop the plan if that fails."""
    plan = services.plan.create_plan(session.workspace, goal, constraints, agent=planner.agent)
    try:
        planned = draw_up(session, plan, planner)
    except GitorchError:
        services.plan_approval.plan_store(session.workspace).drop(plan)
        raise
    if not planner.agent and len(planned.plan.tasks) == 1:
        session.say(planned.conversation[-1].text)
    return planned


def decompose(
    session: Session, goal: str, overrides: dict[str, Any], *, dry_run: bool
) -> tuple[PlanSession, list[Task]]:
    """Make a plan and queue it at once, each task with the fields `overrides`; with `dry_run` it is not approved.

    A task without dependencies in the plan waits for the tasks of `overrides`.
    """
    workspace = session.workspace
    plan = draw_up_new(session, goal, (), services.planner.choose_planner(workspace))
    session.say(f"plan {plan.id}: {plan.plan.made_by}")

    def adjusted(drafts: list[TaskDraft]) -> list[TaskDraft]:
        fields = [{**overrides, **({"after": draft.after} if draft.after else {})} for draft in drafts]
        return [msgspec.structs.replace(draft, **values) for draft, values in zip(drafts, fields, strict=True)]

    if dry_run:
        return plan, services.plan_approval.tasks_of(workspace, plan.plan, datetime.now(UTC), adjusted)
    return services.plan_approval.approve_plan(workspace, plan, adjusted)
