"""`submit`: words, an editor or files become queued tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.errors import InvalidInput
from gitorch.model.task import Priority, Task
from gitorch.storage.tasks import TaskMoved

if TYPE_CHECKING:
    from gitorch.flow.intake import Draft
    from gitorch.services.workspace import Workspace


@click.command("submit")
@click.argument("text", nargs=-1)
@click.option("-d", "--decompose", is_flag=True, help="Break it into tasks by a plan, and queue those at once.")
@click.option("-a", "--agent", default="", help="Who does it: an agent (claude, codex, api, ...) or a role.")
@click.option("-r", "--role", default="", help="As which specialist.")
@click.option("-p", "--priority", type=click.Choice([one.value for one in Priority]), help="How early it starts.")
@click.option("--after", multiple=True, type=TASK, help="Wait for this task. May be given several times.")
@click.option("--context", help="JSON for the agent, or @FILE.")
@click.option("--check", "checks", multiple=True, metavar="CMD", help="A command that judges the work.")
@click.option("--paths", multiple=True, metavar="GLOB", help="Where the work should stay.")
@click.option("--base", default="", metavar="REF", help="Start here instead of on the configured base.")
@click.option("--budget", type=click.FloatRange(0), default=0.0, metavar="DOLLARS", help="What one attempt may cost.")
@click.option("--timeout", default="", metavar="TIME", help="How long one attempt may take: 45m, 2h.")
@click.option("-F", "--file", "files", multiple=True, metavar="FILE", help="Tasks from a file or folder; - is stdin.")
@click.option("-e", "--edit", is_flag=True, help="Write the task in your editor.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be queued.")
@pass_session
def submit_command(session: Session, /, **options: Any) -> None:
    """Queue a task: TEXT is what the agent is asked. Several words are one text.

    \b
    orchestrate submit "Add a users table" --agent claude
    orchestrate submit "Add a login page" --after add-a-users-table
    orchestrate submit -F tasks.toml
    orchestrate submit -d "Create a blog platform"
    """
    if options["decompose"]:
        _decompose(session, options)
        return
    drafts = _drafts(session, options)
    tasks = _resolved(session, drafts, options) if options["dry_run"] else _queued(session, drafts, options)
    _tell_submitted(session, tasks, dry=options["dry_run"])


def _decompose(session: Session, options: dict[str, Any]) -> None:
    from gitorch.cli.commands import plan as plan_command

    if options["files"]:
        raise click.UsageError("--decompose is for a text, not for a file")
    drafts = _drafts(session, options)
    # whatever is wrong with the options is told before a model is asked
    _resolved(session, drafts, options)
    given = _overrides(session, options)
    found, tasks = plan_command.decompose(session, drafts[0].prompt, given, dry=options["dry_run"])
    _tell_submitted(session, tasks, dry=options["dry_run"], plan=found.id)


def _queued(session: Session, drafts: Sequence[Draft], options: dict[str, Any]) -> list[Task]:
    """Queue the tasks; under other names, when another command has just taken theirs."""
    while True:
        tasks = _resolved(session, drafts, options)
        try:
            return services.submit.submit(session.workspace, tasks)
        except TaskMoved:
            session.screen.detail("another command took a name: choosing again")


def _drafts(session: Session, options: dict[str, Any]) -> list[Draft]:
    from gitorch.flow import intake

    text = " ".join(options["text"])
    if options["files"]:
        if text:
            raise click.UsageError("give the text or a file, not both")
        return [draft for name in options["files"] for draft in _read(session, name)]
    if options["edit"]:
        text = click.edit(text) or ""
    elif text in ("", "-") and not sys.stdin.isatty():
        # what is not UTF-8 is refused with all other text that is not
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    elif not text:
        if not session.interactive:
            raise InvalidInput("empty-prompt", "there is nothing to do: the task has no text")
        text = click.edit("") or ""
    return [intake.from_text(text)]


def _read(session: Session, name: str) -> list[Draft]:
    from gitorch.flow import intake

    if name == "-":
        return intake.read(sys.stdin.buffer.read(), "-")
    path = session.start / name
    return intake.read_folder(path) if path.is_dir() else intake.read(_content(path, name), name)


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"{name} cannot be read", why=str(error)) from error


def _resolved(session: Session, drafts: Sequence[Draft], options: dict[str, Any]) -> list[Task]:
    import msgspec

    from gitorch.flow import intake

    workspace = session.workspace
    given = _overrides(session, options)
    drafts = [msgspec.structs.replace(draft, **given) for draft in drafts]
    number = max((task.number for task in workspace.tasks.values()), default=0) + 1
    tasks = intake.resolve(drafts, workspace.tasks, number, taken=services.submit.taken_names(workspace))
    routed = [services.roles.assign_role(workspace.roles, workspace.config, task) for task in tasks]
    services.submit.require_known_names(workspace, routed)
    return routed


def _overrides(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that options set, by their names in a draft."""
    from gitorch import config

    workspace = session.workspace
    role, agent = options["role"], options["agent"]
    if agent and agent not in workspace.config.agents and agent in workspace.roles:
        role, agent = agent, ""  # --agent may name a role, too
    overrides = {
        "agent": agent,
        "role": role,
        "priority": options["priority"] or "",
        "after": tuple(services.lookup.find_task(workspace, name).id for name in options["after"]),
        "checks": _checks(options["checks"]),
        "paths": options["paths"],
        "context": _context(session, options["context"]),
        "base": options["base"],
        "budget": options["budget"],
        "timeout": config.seconds(options["timeout"]) if options["timeout"] else 0.0,
    }
    return {name: value for name, value in overrides.items() if value}


def _checks(commands: Sequence[str]) -> dict[str, str]:
    return {f"check-{number}" if number > 1 else "check": command for number, command in enumerate(commands, start=1)}


def _context(session: Session, given: str | None) -> str:
    if not given:
        return ""
    import json

    from gitorch import config

    name = given.removeprefix("@")
    text = config.decode(_content(session.start / name, name), name) if given != name else given
    try:
        json.loads(text)
        text.encode()
    except ValueError as error:
        raise InvalidInput("context", "--context is not JSON", why=str(error)) from error
    return text


def _tell_submitted(session: Session, tasks: Sequence[Task], *, dry: bool, plan: str = "") -> None:
    from gitorch.cli.terminal.sanitize import safe
    from gitorch.cli.views.queue import queued

    answer = schema.queue.SubmitAnswer.of(tasks, plan, dry_run=dry)
    session.answer(queued(tasks, session.workspace.config.agent), answer)
    if not session.json:
        for task in tasks:
            session.say(safe(_role_words(session.workspace, task)))
        session.say("nothing was queued (dry run)" if dry else "next: orchestrate run")
        if dry and plan:
            session.say(f"next: orchestrate plan approve {plan}")


def _role_words(workspace: Workspace, task: Task) -> str:
    """Say as which specialist a task will be done, why, and where that one comes from."""
    why = f": {task.spec.role_reason}" if task.spec.role_reason else ", as named"
    return f"{task.id}: role {task.spec.role}{why} ({workspace.roles[task.spec.role].origin})"
