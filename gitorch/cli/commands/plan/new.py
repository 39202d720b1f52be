"""`plan new`, `plan continue`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import views
from gitorch.cli.choices import AGENT
from gitorch.cli.commands.plan.dialog import run_dialog
from gitorch.cli.commands.plan.drafting import draw_up, draw_up_new
from gitorch.cli.commands.plan.group import COMMANDS, plan_command
from gitorch.cli.commands.plan.names import PLAN
from gitorch.cli.commands.plan.output import print_plan
from gitorch.cli.session import Session, pass_session
from gitorch.errors import InvalidInput

_CUTOFF = 0.7
"""How similar to the name of a command a goal of one word may not be."""


@click.command("new")
@click.argument("goal", nargs=-1)
@click.option("-a", "--agent", default="", type=AGENT, help="Model to use: claude, codex, api.")
@click.option("--heuristic", is_flag=True, help="Use heuristics instead of a model.")
@click.option("--constraint", "constraints", multiple=True, metavar="TEXT", help="Constraint on the plan (repeatable).")
@pass_session
def new_command(session: Session, goal: Sequence[str], agent: str, heuristic: bool, constraints: Sequence[str]) -> None:
    """Create a plan, like `plan GOAL`. With -, read GOAL from standard input."""
    workspace = session.workspace
    text = _goal_text(session, goal)
    planner = services.planner.choose_planner(workspace, agent, heuristic=heuristic)
    plan = draw_up_new(session, text, constraints, planner)
    if session.interactive:
        run_dialog(session, plan_command, plan)
    else:
        print_plan(session, plan)


def _goal_text(session: Session, words: Sequence[str]) -> str:
    text = " ".join(words)
    if text == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if len(words) == 1 and " " not in text:
        _refuse_near_miss(text)
    if not text and session.interactive:
        text = click.prompt("What do you want to reach?", err=True, prompt_suffix="\n> ")
    if not text.strip():
        raise InvalidInput("empty-goal", "the plan has no goal", fix=('orchestrate plan "what you want to reach"',))
    return text


def _refuse_near_miss(word: str) -> None:
    matches = difflib.get_close_matches(
        word, [name for section in COMMANDS.values() for name in section], n=1, cutoff=_CUTOFF
    )
    if matches:
        goal = f"orchestrate plan new {word}   if it is a goal"
        hint = f"did you mean {matches[0]}?"
        raise InvalidInput("no-such-command", f"plan has no command {word}; {hint}", fix=(goal,))


@click.command("continue")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.option("-a", "--agent", default="", type=AGENT, help="Model to use, if the plan has no tasks yet.")
@pass_session
def continue_command(session: Session, name: str, agent: str) -> None:
    """Continue a saved plan and its conversation."""
    workspace = session.workspace
    plan = services.plan_approval.find_plan(workspace, name)
    if not plan.is_approved and not plan.history[1:]:
        # the planner was interrupted before it returned any task
        agent = agent or plan.agent
        plan = draw_up(session, plan, services.planner.choose_planner(workspace, agent, heuristic=not agent))
    if not session.interactive or plan.is_approved:
        print_plan(session, plan)
        return
    session.answer(views.planning.plan_dialog.conversation(plan.conversation))
    run_dialog(session, plan_command, plan)
