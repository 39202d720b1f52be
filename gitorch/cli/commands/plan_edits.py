"""`plan add`, `remove`, `modify`, `split`, `link`, `unlink`, `order`: changes that need nobody's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Name, Session, pass_session
from gitorch.model.task import Priority

if TYPE_CHECKING:
    from gitorch.model.naming import TaskId
    from gitorch.model.plan import Plan, PlannedTask, PlanSession


class PlanName(Name):
    """A plan, by id or unique prefix; completes the ids."""

    name = "plan"

    def known(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the plans."""
        plans = services.plan_approval.plan_store(ctx.ensure_object(Session).workspace)
        return ((name, "") for name in plans.names())


class PlannedName(Name):
    """A task of the plan that stands before it, by id, unique prefix or place; completes the ids."""

    name = "task"

    def known(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the plan's tasks with their titles."""
        workspace = ctx.ensure_object(Session).workspace
        plan = services.plan_approval.find_plan(workspace, ctx.params.get("plan") or "").plan
        return ((task.id, task.title) for task in plan.tasks)


PLAN = PlanName()
PLANNED = PlannedName()

_FIELDS = (
    click.option("--title", default=None, help="One line that says what it is."),
    click.option("--prompt", default=None, metavar="TEXT", help="What the agent is asked; by default the title."),
    click.option("-r", "--role", default=None, help="As which specialist."),
    click.option("-a", "--agent", default=None, help="Who does it."),
    click.option("-p", "--priority", type=click.Choice([one.value for one in Priority]), help="How early it starts."),
    click.option("--paths", multiple=True, metavar="GLOB", help="Where the work should stay."),
    click.option("--accept", "acceptance", multiple=True, metavar="TEXT", help="What must be true when it is done."),
    click.option("--size", type=click.Choice(["small", "medium", "large"]), help="How much work it is, roughly."),
    click.option("--id", "id", default=None, metavar="NAME", help="Its name in the plan."),
)


def _with_fields(function: Any) -> Any:
    for option in reversed(_FIELDS):
        function = option(function)
    return function


def tell(session: Session, found: PlanSession, said: str = "") -> None:
    """Show a plan as it stands; outside of a planning session also the next command."""
    from gitorch.cli.views import plan as plan_view

    if said:
        session.say(said)
    session.answer(plan_view.tree(found), schema.plan.PlanAnswer.of(found))
    if not session.json and not session.talking:
        approved = found.is_approved
        session.say("next: orchestrate run" if approved else f"next: orchestrate plan approve {found.id}")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, ())}


def _edit(session: Session, name: str, edit: Callable[[Plan], tuple[Plan, str]]) -> None:
    found = services.plan.edit_plan(session.workspace, name, edit)
    tell(session, found, found.history[-1].what)


def _names(plan: Plan, wanted: Sequence[str]) -> list[TaskId]:
    from gitorch.model.plan import find

    return [find(plan, name).id for name in wanted]


@click.command("add")
@click.argument("plan", type=PLAN)
@click.argument("text", nargs=-1, required=True)
@click.option("--after", multiple=True, type=PLANNED, help="Wait for this task. May be given several times.")
@click.option("--before", multiple=True, type=PLANNED, help="Have this task wait for the new one.")
@_with_fields
@pass_session
def add_command(
    session: Session, /, plan: str, text: Sequence[str], after: Sequence[str], before: Sequence[str], **options: Any
) -> None:
    """Add a task to a plan: TEXT is what the agent is asked. Several words are one text."""
    from gitorch.model import plan as planning

    words, fields = " ".join(text), _given(options)
    new = _made(session, words, fields)

    def edit(there: Plan) -> tuple[Plan, str]:
        task = planning.named(there, new, chosen="id" in fields, after=_names(there, after))
        changed = planning.add(there, task)
        for name in _names(there, before):
            changed = planning.link(changed, name, task.id)
        return changed, f"added {task.id}"

    _edit(session, plan, edit)


def _made(session: Session, words: str, fields: dict[str, Any]) -> PlannedTask:
    """Return a task of these words; its role is told by its title where none is named."""
    from gitorch.flow import intake
    from gitorch.model import roles
    from gitorch.model.naming import slug
    from gitorch.model.plan import task_of

    draft = intake.from_text(words)
    title = fields.get("title", draft.title)
    told = {"id": slug(title), "title": title, "prompt": words}
    paths = fields.get("paths", ())
    role = roles.route(title, session.workspace.roles, prompt=words.removeprefix(title), paths=paths)[0].name
    return task_of({"role": role, **told, **fields})


@click.command("remove")
@click.argument("plan", type=PLAN)
@click.argument("tasks", nargs=-1, required=True, type=PLANNED, metavar="TASK...")
@pass_session
def remove_command(session: Session, plan: str, tasks: Sequence[str]) -> None:
    """Take tasks out of a plan. What waited for one waits for what that one waited for."""
    from gitorch.model import plan as planning

    def edit(there: Plan) -> tuple[Plan, str]:
        names = _names(there, tasks)
        for name in names:
            there = planning.remove(there, name)
        return there, f"removed {', '.join(names)}"

    _edit(session, plan, edit)


@click.command("modify")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@_with_fields
@pass_session
def modify_command(session: Session, /, plan: str, task: str, **options: Any) -> None:
    """Change fields of a task of a plan."""
    from gitorch.model import plan as planning

    fields = _given(options)
    if not fields:
        raise click.UsageError("say what should change: --title, --prompt, --role, ...")

    def edit(there: Plan) -> tuple[Plan, str]:
        name = planning.find(there, task).id
        return planning.modify(there, name, **fields), f"changed {', '.join(fields)} of {name}"

    _edit(session, plan, edit)


@click.command("split")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("parts", nargs=-1, required=True, metavar="PART...")
@click.option("--chain", is_flag=True, help="The parts follow one another; else they run in parallel.")
@pass_session
def split_command(session: Session, plan: str, task: str, parts: Sequence[str], chain: bool) -> None:
    """Put several tasks in the place of one: each PART is the text of one.

    They wait for what the task waited for; what waited for the task waits for all of them.
    """
    from gitorch.flow import intake
    from gitorch.model import plan as planning

    titles = {part: intake.from_text(part).title for part in parts}

    def edit(there: Plan) -> tuple[Plan, str]:
        one = planning.find(there, task)
        pieces = planning.parts_of(there, one, titles)
        what = f"split {one.id} into {', '.join(piece.id for piece in pieces)}"
        return planning.split(there, one.id, pieces, chain=chain), what

    _edit(session, plan, edit)


@click.command("link")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("after", nargs=-1, required=True, type=PLANNED, metavar="AFTER...")
@pass_session
def link_command(session: Session, plan: str, task: str, after: Sequence[str]) -> None:
    """Have TASK wait for each AFTER."""
    from gitorch.model import plan as planning

    _relate(session, plan, task, after, planning.link, "waits for")


@click.command("unlink")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("after", nargs=-1, required=True, type=PLANNED, metavar="AFTER...")
@pass_session
def unlink_command(session: Session, plan: str, task: str, after: Sequence[str]) -> None:
    """Have TASK no longer wait for each AFTER."""
    from gitorch.model import plan as planning

    _relate(session, plan, task, after, planning.unlink, "no longer waits for")


def _relate(
    session: Session,
    plan: str,
    task: str,
    after: Sequence[str],
    relate: Callable[[Plan, TaskId, TaskId], Plan],
    what: str,
) -> None:
    def edit(there: Plan) -> tuple[Plan, str]:
        name, *others = _names(there, [task, *after])
        for other in others:
            there = relate(there, name, other)
        return there, f"{name} {what} {', '.join(others)}"

    _edit(session, plan, edit)


@click.command("order")
@click.argument("plan", type=PLAN)
@click.argument("tasks", nargs=-1, required=True, type=PLANNED, metavar="TASK...")
@pass_session
def order_command(session: Session, plan: str, tasks: Sequence[str]) -> None:
    """Have these tasks take their turn first, in this order, as far as what they wait for lets them."""
    from gitorch.model import plan as planning

    def edit(there: Plan) -> tuple[Plan, str]:
        names = _names(there, tasks)
        return planning.reorder(there, names), f"put {', '.join(names)} first"

    _edit(session, plan, edit)


EDITS = (
    add_command,
    remove_command,
    modify_command,
    split_command,
    link_command,
    unlink_command,
    order_command,
)
