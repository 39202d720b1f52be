"""`plan list`, `plan show`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.commands.plan.names import PLAN, PLANNED
from gitorch.cli.commands.plan.output import print_plan
from gitorch.cli.session import Session, pass_session
from gitorch.errors import InvalidInput
from gitorch.model.plan import find


@click.command("list")
@click.argument("words", nargs=-1, metavar="")
@pass_session
def list_command(session: Session, words: Sequence[str]) -> None:
    """List all plans."""
    if words:
        goal = f'orchestrate plan -- "list {" ".join(words)}"   if it is a goal'
        raise InvalidInput("usage", "plan list takes no arguments", fix=(goal,))
    plans = services.plan_approval.all_plans(session.workspace)
    session.answer(
        views.planning.plan.listing(plans, datetime.now().astimezone()), schema.plan.PlanListAnswer.of(plans)
    )


@click.command("show")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.argument("task_name", required=False, type=PLANNED, metavar="[TASK]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "json", "toml"]),
    default="tree",
    help="Output format.",
)
@pass_session
def show_command(session: Session, name: str, task_name: str | None, form: str) -> None:
    """Show a plan, or one TASK of it."""
    plan = services.plan_approval.find_plan(session.workspace, name)
    session.json = session.json or form == "json"
    if task_name:
        task = find(plan.plan, task_name)
        answer = schema.plan.PlanTaskAnswer(task=schema.plan.PlannedTaskJson.of(task))
        session.answer(views.planning.plan.task_page(plan.plan, task), answer)
    elif form == "tree":
        print_plan(session, plan)
    else:
        formats = views.planning.plan_formats
        write = {"mermaid": formats.mermaid, "dot": formats.dot, "toml": formats.toml}
        text = write[form](plan.plan) if form in write else ""
        session.answer(text, schema.plan.PlanAnswer.of(plan))
