"""`plan`: a goal becomes tasks that a person has agreed to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.commands.plan_answers import ANSWERS, tell_asking, tell_cost
from gitorch.cli.commands.plan_edits import EDITS, PLAN, PLANNED, tell
from gitorch.cli.session import Session, pass_session, print_help
from gitorch.errors import GitorchError, InvalidInput, Refused

if TYPE_CHECKING:
    from gitorch.flow.intake import TaskDraft
    from gitorch.model.plan import PlanSession
    from gitorch.model.task import Task
    from gitorch.services.planner import PlannerChoice


class PlanGroup(click.Group):
    """A group whose first word may also be a goal: what is no command's name, or stands after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["new", *args] if self._is_goal(ctx, args) else args)

    def _is_goal(self, ctx: click.Context, args: list[str]) -> bool:
        try:
            _, rest, _ = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:
            return True  # an option that only a goal has
        if not rest:
            return False
        return rest[0] not in self.commands or "--" in args[: len(args) - len(rest)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(100)) for name, one in self.commands.items()], col_spacing=3
            )


@click.group("plan", cls=PlanGroup, invoke_without_command=True, subcommand_metavar="GOAL | COMMAND [ARGS]...")
@click.pass_context
def plan_command(ctx: click.Context) -> None:
    """Break a goal into tasks, discuss the plan, and queue it.

    \b
    orchestrate plan "Build a REST API with authentication"
    orchestrate plan approve build-a-rest --run

    On a terminal a goal begins a session in which the plan can be discussed and changed; it is saved after every
    step. A goal that begins with a command's name goes in quotes, or after --.
    """
    if ctx.invoked_subcommand is None:
        if ctx.ensure_object(Session).interactive:
            ctx.invoke(new_command)
        else:
            print_help(ctx)


@plan_command.command("new")
@click.argument("goal", nargs=-1)
@click.option("-a", "--agent", default="", help="Model to use: claude, codex, api.")
@click.option("--heuristic", is_flag=True, help="Use heuristics instead of a model.")
@click.option("--constraint", "constraints", multiple=True, metavar="TEXT", help="Constraint on the plan (repeatable).")
@pass_session
def new_command(session: Session, goal: Sequence[str], agent: str, heuristic: bool, constraints: Sequence[str]) -> None:
    """Create a plan, like `plan GOAL`. With -, read GOAL from standard input."""
    workspace = session.workspace
    words = _goal(session, goal)
    chosen = services.planner.choose_planner(workspace, agent, heuristic=heuristic)
    begun = services.plan.create_plan(workspace, words, constraints, agent=chosen.agent)
    found = _drawn_up(session, begun, chosen)
    if session.interactive:
        _talk(session, found)
    else:
        tell(session, found)


def _goal(session: Session, given: Sequence[str]) -> str:
    words = " ".join(given)
    if words == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if len(given) == 1 and " " not in words:
        _refuse_near_miss(words)
    if not words and session.interactive:
        words = click.prompt("What do you want to reach?", err=True, prompt_suffix="\n> ")
    if not words.strip():
        raise InvalidInput("empty-goal", "the plan has no goal", fix=('orchestrate plan "what you want to reach"',))
    return words


def _refuse_near_miss(word: str) -> None:
    import difflib

    near = difflib.get_close_matches(word, plan_command.commands, n=1, cutoff=0.7)
    if near:
        goal = f"orchestrate plan new {word}   if it is a goal"
        raise InvalidInput("no-such-command", f"plan has no command {word}; did you mean {near[0]}?", fix=(goal,))


def _drawn_up(session: Session, begun: PlanSession, chosen: PlannerChoice) -> PlanSession:
    """Have a new plan's tasks drawn up; a plan that could not be is not kept."""
    tell_asking(session, chosen)
    try:
        found = services.plan.draw_up(session.workspace, begun, chosen)
    except GitorchError:
        services.plan_approval.plan_store(session.workspace).drop(begun)
        raise
    tell_cost(session, found)
    if not chosen.agent and len(found.plan.tasks) == 1:
        session.say(found.conversation[-1].text)
    return found


def _talk(session: Session, found: PlanSession) -> None:
    from gitorch.cli.commands import plan_session

    plan_session.talk(session, plan_command, found)


@plan_command.command("list")
@click.argument("more", nargs=-1, metavar="")
@pass_session
def list_command(session: Session, more: Sequence[str]) -> None:
    """List all plans."""
    from gitorch.cli.views import plan as plan_view

    if more:
        goal = f'orchestrate plan -- "list {" ".join(more)}"   if it is a goal'
        raise InvalidInput("usage", "plan list takes no arguments", fix=(goal,))
    found = services.plan_approval.all_plans(session.workspace)
    text = plan_view.listing(found, datetime.now().astimezone())
    session.answer(text, schema.plan.PlanListAnswer.of(found))


@plan_command.command("show")
@click.argument("plan", type=PLAN)
@click.argument("task", required=False, type=PLANNED)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "json", "toml"]),
    default="tree",
    help="Output format.",
)
@pass_session
def show_command(session: Session, plan: str, task: str | None, form: str) -> None:
    """Show a plan, or one TASK of it."""
    from gitorch.cli.views import plan as plan_view
    from gitorch.cli.views import plan_formats
    from gitorch.model.plan import find

    found = services.plan_approval.find_plan(session.workspace, plan)
    session.json = session.json or form == "json"
    if task:
        one = find(found.plan, task)
        answer = schema.plan.PlanTaskAnswer(task=schema.plan.PlannedTaskJson.of(one))
        session.answer(plan_view.task_page(found.plan, one), answer)
    elif form == "tree":
        tell(session, found)
    else:
        write = {"mermaid": plan_formats.mermaid, "dot": plan_formats.dot, "toml": plan_formats.toml}
        text = write[form](found.plan) if form in write else ""
        session.answer(text, schema.plan.PlanAnswer.of(found))


@plan_command.command("continue")
@click.argument("plan", type=PLAN)
@click.option("-a", "--agent", default="", help="Model to use, if the plan has no tasks yet.")
@pass_session
def continue_command(session: Session, plan: str, agent: str) -> None:
    """Continue a saved plan and its conversation."""
    from gitorch.cli.terminal.blocks import stack
    from gitorch.cli.views import plan as plan_view

    workspace = session.workspace
    found = services.plan_approval.find_plan(workspace, plan)
    if not found.is_approved and not found.history[1:]:
        # whoever was asked for its tasks was cut off
        found = _continued(session, found, agent)
    if not session.interactive or found.is_approved:
        tell(session, found)
        return
    session.answer(stack([plan_view.conversation(found.conversation), ""]))
    _talk(session, found)


def _continued(session: Session, found: PlanSession, agent: str) -> PlanSession:
    chosen = services.planner.choose_planner(
        session.workspace, agent or found.agent, heuristic=not (agent or found.agent)
    )
    tell_asking(session, chosen)
    drawn = services.plan.draw_up(session.workspace, found, chosen)
    tell_cost(session, drawn)
    return drawn


@plan_command.command("approve")
@click.argument("plan", type=PLAN)
@click.option("--run", "run", is_flag=True, help="Start a run afterwards.")
@click.pass_context
def approve_command(ctx: click.Context, plan: str, run: bool) -> None:
    """Approve a plan and queue its tasks with their dependencies."""
    session = ctx.ensure_object(Session)
    workspace = session.workspace
    approved, tasks = services.plan_approval.approve_plan(workspace, services.plan_approval.find_plan(workspace, plan))
    tell_queued(session, approved, tasks)
    if run or (session.talking and session.confirm("Run them now?", yes=False)):
        run_queue(ctx)
    elif not session.json:
        session.say("next: orchestrate run")


def tell_queued(session: Session, approved: PlanSession, tasks: Sequence[Task]) -> None:
    """Show the tasks that a plan became."""
    from gitorch.cli.views.queue import queued

    answer = schema.plan.PlanApproveAnswer.of(approved, tasks)
    session.answer(queued(tasks, session.workspace.config.agent), answer)


def run_queue(ctx: click.Context, **options: object) -> None:
    """Go on with `run`."""
    from gitorch.cli.commands.run import run_command

    ctx.invoke(run_command, **options)


def decompose(session: Session, goal: str, given: dict[str, Any], *, dry: bool) -> tuple[PlanSession, list[Task]]:
    """Make a plan and queue it at once, each task with the fields `given`; with `dry` it stays a plan.

    What waits for nothing in the plan waits for the tasks of `given`.
    """
    import msgspec

    workspace = session.workspace
    chosen = services.planner.choose_planner(workspace)
    found = _drawn_up(session, services.plan.create_plan(workspace, goal, agent=chosen.agent), chosen)
    session.say(f"plan {found.id}: {found.plan.made_by}")

    def adjusted(drafts: list[TaskDraft]) -> list[TaskDraft]:
        own = [{**given, **({"after": draft.after} if draft.after else {})} for draft in drafts]
        return [msgspec.structs.replace(draft, **fields) for draft, fields in zip(drafts, own, strict=True)]

    if dry:
        return found, services.plan_approval.tasks_of(workspace, found.plan, datetime.now(UTC), adjusted)
    return services.plan_approval.approve_plan(workspace, found, adjusted)


@plan_command.command("drop")
@click.argument("plan", type=PLAN)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@pass_session
def drop_command(session: Session, plan: str, yes: bool) -> None:
    """Drop a plan. Tasks that it has queued stay."""
    workspace = session.workspace
    found = services.plan_approval.find_plan(workspace, plan)
    if not session.confirm(f"Drop the plan {found.id}?", yes=yes):
        session.answer("nothing was dropped", schema.plan.PlanDropAnswer(dropped=None))
        return
    kept = services.plan.drop_plan(workspace, found)
    answer = schema.plan.PlanDropAnswer(dropped=found.id, folder=kept)
    session.answer(f"dropped {found.id}; it is kept in {kept}", answer)


for one in (*ANSWERS, *EDITS):
    plan_command.add_command(one)


# ------------------------------------------------------------------------------------- other spellings, not in the help

plan_list_command = list_command
plan_continue_command = continue_command


@click.command("execute-plan", hidden=True)
@click.argument("plan", type=PLAN)
@click.option("-m", "--max-agents", type=click.IntRange(1, 200), help="Maximum number of agents at once.")
@click.pass_context
def execute_plan_command(ctx: click.Context, plan: str, max_agents: int | None) -> None:
    """Start a run, if the plan is approved."""
    found = services.plan_approval.find_plan(ctx.ensure_object(Session).workspace, plan)
    if not found.is_approved:
        raise Refused(
            "plan-not-approved",
            f"the plan {found.id} is not approved: nothing of it can run",
            fix=(f"orchestrate plan approve {found.id} --run",),
        )
    run_queue(ctx, max_agents=max_agents)
