"""`plan discuss`, `plan take`, `plan leave`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import AGENT
from gitorch.cli.commands.plan.names import PLAN
from gitorch.cli.commands.plan.output import print_cost, print_plan, print_planner
from gitorch.cli.session import Session, pass_session
from gitorch.errors import AnswerNeeded
from gitorch.model.plan import difference

if TYPE_CHECKING:
    from gitorch.model.plan import Difference, PlanSession

_UNCHANGED = "left; the plan is as it was"


@click.command("discuss")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.argument("text", nargs=-1, required=True)
@click.option("-a", "--agent", default="", type=AGENT, help="Model to use: claude, codex, api.")
@click.option("-y", "--yes", is_flag=True, help="Accept the proposal without asking.")
@pass_session
def discuss_command(session: Session, name: str, text: Sequence[str], agent: str, yes: bool) -> None:
    """Discuss a plan with the model, and accept or discard what it proposes.

    Without a terminal, the proposal is saved: `plan take PLAN` accepts it.
    """
    workspace = session.workspace
    plan = services.plan_approval.find_plan(workspace, name)
    default = plan.agent if plan.agent in workspace.config.agents else ""
    planner = services.planner.choose_model(workspace, agent or default)
    print_planner(session, planner)
    plan = services.plan.discuss(workspace, plan, " ".join(text), planner)
    proposed = difference(plan.plan, plan.proposal or plan.plan)
    accept = bool(proposed) and yes
    if accept:
        plan = services.plan.accept_proposal(workspace, plan)
    _print_answer(session, plan, proposed, accepted=accept)
    if proposed and not accept:
        _ask_decision(session, plan)


def _print_answer(session: Session, plan: PlanSession, proposed: Difference, *, accepted: bool) -> None:
    content = views.planning.plan_dialog.answer(plan.conversation[-1], proposed)
    session.answer(content, schema.plan.PlanDiscussAnswer.of(plan, proposed, accepted=accepted))
    print_cost(session, plan)


def _ask_decision(session: Session, plan: PlanSession) -> None:
    """Ask whether to accept the proposal; without a terminal, exit with the code for a needed answer."""
    workspace = session.workspace
    if not session.interactive:
        if not session.json:
            session.say(f"not taken: no terminal to ask on\nnext: orchestrate plan take {plan.id}")
        sys.exit(AnswerNeeded.exit)
    if session.confirm("Take it?", yes=False):
        print_plan(session, services.plan.accept_proposal(workspace, plan), "taken")
    else:
        services.plan.drop_proposal(workspace, plan)
        session.say(_UNCHANGED)


@click.command("take")
@click.argument("name", type=PLAN, metavar="PLAN")
@pass_session
def take_command(session: Session, name: str) -> None:
    """Accept the last proposal."""
    plan = services.plan_approval.find_plan(session.workspace, name)
    print_plan(session, services.plan.accept_proposal(session.workspace, plan), "taken")


@click.command("leave")
@click.argument("name", type=PLAN, metavar="PLAN")
@pass_session
def leave_command(session: Session, name: str) -> None:
    """Discard the last proposal."""
    plan = services.plan_approval.find_plan(session.workspace, name)
    print_plan(session, services.plan.drop_proposal(session.workspace, plan), _UNCHANGED)
