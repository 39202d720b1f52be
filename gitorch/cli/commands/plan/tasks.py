"""`plan add`, `remove`, `modify`, `split`, `link`, `unlink`, `order`: edits without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli.choices import AGENT, ROLE
from gitorch.cli.commands.plan.names import PLAN, PLANNED
from gitorch.cli.commands.plan.output import print_plan
from gitorch.cli.session import Session, pass_session
from gitorch.model import plan as planning, roles
from gitorch.model.naming import slug
from gitorch.model.task import Priority

if TYPE_CHECKING:
    from gitorch.model.naming import TaskId
    from gitorch.model.plan import PlannedTask, TaskPlan


_FIELDS = (
    click.option("--title", default=None, help="Title."),
    click.option("--prompt", default=None, metavar="TEXT", help="Prompt for the agent (default: the title)."),
    click.option("-r", "--role", default=None, type=ROLE, help="Role (specialist) to use."),
    click.option("-a", "--agent", default=None, type=AGENT, help="Agent to use."),
    click.option("-p", "--priority", type=click.Choice([priority.value for priority in Priority]), help="Priority."),
    click.option("--paths", multiple=True, metavar="GLOB", help="Paths that the task should stay in (repeatable)."),
    click.option("--accept", "acceptance", multiple=True, metavar="TEXT", help="Acceptance criterion (repeatable)."),
    click.option("--size", type=click.Choice(["small", "medium", "large"]), help="Rough size."),
    click.option("--id", "id", default=None, metavar="NAME", help="Name in the plan."),
)


def _with_fields(function: Any) -> Any:
    for option in reversed(_FIELDS):
        function = option(function)
    return function


def _values(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, ())}


def _edit(session: Session, name: str, edit: Callable[[TaskPlan], tuple[TaskPlan, str]]) -> None:
    edited = services.plan.edit_plan(session.workspace, name, edit)
    print_plan(session, edited, edited.history[-1].description)


def _ids(plan: TaskPlan, names: Sequence[str]) -> list[TaskId]:
    return [planning.find(plan, name).id for name in names]


@click.command("add")
@click.argument("plan", type=PLAN)
@click.argument("text", nargs=-1, required=True)
@click.option("--after", multiple=True, type=PLANNED, help="Start after this task (repeatable).")
@click.option("--before", multiple=True, type=PLANNED, help="Make this task wait for the new one (repeatable).")
@_with_fields
@pass_session
def add_command(
    session: Session, /, plan: str, text: Sequence[str], after: Sequence[str], before: Sequence[str], **options: Any
) -> None:
    """Add a task. TEXT is the prompt for the agent."""
    prompt, fields = " ".join(text), _values(options)
    new = _planned(session, prompt, fields)

    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        task = planning.with_unused_id(current, new, is_explicit="id" in fields, after=_ids(current, after))
        changed = planning.add(current, task)
        for name in _ids(current, before):
            changed = planning.link(changed, name, task.id)
        return changed, f"added {task.id}"

    _edit(session, plan, edit)


def _planned(session: Session, prompt: str, fields: dict[str, Any]) -> PlannedTask:
    """Return a task with this prompt; its title chooses its role where none is named."""
    draft = services.submit.draft_of(prompt)
    title = fields.get("title", draft.title)
    defaults = {"id": slug(title), "title": title, "prompt": prompt}
    paths = fields.get("paths", ())
    role = roles.route(title, session.workspace.roles, prompt=prompt.removeprefix(title), paths=paths)[0].name
    return planning.task_of({"role": role, **defaults, **fields})


@click.command("remove")
@click.argument("plan", type=PLAN)
@click.argument("tasks", nargs=-1, required=True, type=PLANNED, metavar="TASK...")
@pass_session
def remove_command(session: Session, plan: str, tasks: Sequence[str]) -> None:
    """Remove tasks.

    Tasks that waited for a removed one wait for its dependencies instead.
    """

    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        names = _ids(current, tasks)
        for name in names:
            current = planning.remove(current, name)
        return current, f"removed {', '.join(names)}"

    _edit(session, plan, edit)


@click.command("modify")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@_with_fields
@pass_session
def modify_command(session: Session, /, plan: str, task: str, **options: Any) -> None:
    """Change fields of a task."""
    fields = _values(options)
    if not fields:
        raise click.UsageError("nothing to change: pass --title, --prompt, --role, ...")

    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        name = planning.find(current, task).id
        return planning.modify(current, name, **fields), f"changed {', '.join(fields)} of {name}"

    _edit(session, plan, edit)


@click.command("split")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("parts", nargs=-1, required=True, metavar="PART...")
@click.option("--chain", is_flag=True, help="Run the parts one after another (default: in parallel).")
@pass_session
def split_command(session: Session, plan: str, task: str, parts: Sequence[str], chain: bool) -> None:
    """Replace a task with several. Each PART is the prompt of one.

    The parts wait for the dependencies of the task. Tasks that waited for it wait for all parts.
    """
    titles = {part: services.submit.draft_of(part).title for part in parts}

    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        original = planning.find(current, task)
        pieces = planning.parts_of(current, original, titles)
        message = f"split {original.id} into {', '.join(piece.id for piece in pieces)}"
        return planning.split(current, original.id, pieces, chain=chain), message

    _edit(session, plan, edit)


@click.command("link")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("after", nargs=-1, required=True, type=PLANNED, metavar="AFTER...")
@pass_session
def link_command(session: Session, plan: str, task: str, after: Sequence[str]) -> None:
    """Make TASK wait for each AFTER."""
    _relate(session, plan, task, after, planning.link, "waits for")


@click.command("unlink")
@click.argument("plan", type=PLAN)
@click.argument("task", type=PLANNED)
@click.argument("after", nargs=-1, required=True, type=PLANNED, metavar="AFTER...")
@pass_session
def unlink_command(session: Session, plan: str, task: str, after: Sequence[str]) -> None:
    """Remove the dependency of TASK on each AFTER."""
    _relate(session, plan, task, after, planning.unlink, "no longer waits for")


def _relate(
    session: Session,
    plan: str,
    task: str,
    after: Sequence[str],
    relate: Callable[[TaskPlan, TaskId, TaskId], TaskPlan],
    verb: str,
) -> None:
    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        name, *dependencies = _ids(current, [task, *after])
        for dependency in dependencies:
            current = relate(current, name, dependency)
        return current, f"{name} {verb} {', '.join(dependencies)}"

    _edit(session, plan, edit)


@click.command("order")
@click.argument("plan", type=PLAN)
@click.argument("tasks", nargs=-1, required=True, type=PLANNED, metavar="TASK...")
@pass_session
def order_command(session: Session, plan: str, tasks: Sequence[str]) -> None:
    """Move these tasks to the front, in this order (dependencies still apply)."""

    def edit(current: TaskPlan) -> tuple[TaskPlan, str]:
        names = _ids(current, tasks)
        return planning.reorder(current, names), f"put {', '.join(names)} first"

    _edit(session, plan, edit)
