"""What several `plan` commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitorch.cli import schema, views
from gitorch.cli.session import Session
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.model.plan import PlanSession
    from gitorch.services.planner import PlannerChoice


def print_plan(session: Session, plan: PlanSession, message: str = "") -> None:
    """Print a plan as it is now, and outside of its dialog the next command."""
    if message:
        session.say(message)
    session.answer(views.planning.plan.tree(plan), schema.plan.PlanAnswer.of(plan))
    if not session.json and not session.in_plan_dialog:
        session.say("next: orchestrate run" if plan.is_approved else f"next: orchestrate plan approve {plan.id}")


def print_planner(session: Session, planner: PlannerChoice) -> None:
    """Print which model is asked; warn if there is none."""
    if planner.agent:
        session.say(f"asking {planner.agent} ...")
    elif planner.reason != "asked for":
        session.screen.warn(f"no model is available, so the plan is made by heuristics ({planner.reason})")


def print_cost(session: Session, plan: PlanSession) -> None:
    """Print which model answered, with its tokens and its price."""
    last = plan.conversation[-1]
    if last.usage is not None and not session.json:
        dollars = f", {views.quantities.dollars(last.usage.usd)}" if last.usage.usd is not None else ""
        session.say(f"{last.model}: {views.quantities.tokens(last.usage)}{dollars}")


def print_queued(session: Session, plan: PlanSession, tasks: Sequence[Task]) -> None:
    """Print the tasks that an approved plan has queued."""
    answer = schema.plan.PlanApproveAnswer.of(plan, tasks)
    session.answer(views.queue.queued(tasks, session.workspace.config.agent), answer)
