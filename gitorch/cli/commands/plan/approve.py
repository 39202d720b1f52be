"""`plan approve`, `plan drop`, and `execute-plan`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.commands.plan.names import PLAN
from gitorch.cli.commands.plan.output import print_queued
from gitorch.cli.commands.run import run_command
from gitorch.cli.session import Session, pass_session
from gitorch.errors import Refused


@click.command("approve")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.option("--run", "run", is_flag=True, help="Start a run afterwards.")
@click.pass_context
def approve_command(ctx: click.Context, name: str, run: bool) -> None:
    """Approve a plan and queue its tasks with their dependencies."""
    session = ctx.ensure_object(Session)
    workspace = session.workspace
    plan, tasks = services.plan_approval.approve_plan(workspace, services.plan_approval.find_plan(workspace, name))
    print_queued(session, plan, tasks)
    if run or (session.in_plan_dialog and session.confirm("Run them now?", yes=False)):
        ctx.invoke(run_command)
    elif not session.json:
        session.say("next: orchestrate run")


@click.command("drop")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@pass_session
def drop_command(session: Session, name: str, yes: bool) -> None:
    """Drop a plan. Tasks that it has queued stay."""
    workspace = session.workspace
    plan = services.plan_approval.find_plan(workspace, name)
    if not session.confirm(f"Drop the plan {plan.id}?", yes=yes):
        session.answer("nothing was dropped", schema.plan.PlanDropAnswer(dropped=None))
        return
    folder = services.plan.drop_plan(workspace, plan)
    answer = schema.plan.PlanDropAnswer(dropped=plan.id, folder=folder)
    session.answer(f"dropped {plan.id}; its files are in {folder}", answer)


@click.command("execute-plan", hidden=True)
@click.argument("name", type=PLAN, metavar="PLAN")
@click.option("-m", "--max-agents", type=click.IntRange(1, 200), help="Maximum number of agents at once.")
@click.pass_context
def execute_plan_command(ctx: click.Context, name: str, max_agents: int | None) -> None:
    """Start a run, if the plan is approved."""
    plan = services.plan_approval.find_plan(ctx.ensure_object(Session).workspace, name)
    if not plan.is_approved:
        raise Refused(
            "plan-not-approved",
            f"the plan {plan.id} is not approved, so none of its tasks can run",
            fix=(f"orchestrate plan approve {plan.id} --run",),
        )
    ctx.invoke(run_command, max_agents=max_agents)
