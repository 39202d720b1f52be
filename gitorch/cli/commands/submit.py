"""`submit`: text, an editor or files become queued tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from gitorch import config, services
from gitorch.cli import schema, views
from gitorch.cli.commands.plan.drafting import decompose
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.cli.terminal.sanitize import safe
from gitorch.errors import InvalidInput
from gitorch.model.task import Priority, Task

if TYPE_CHECKING:
    from gitorch.flow.intake import TaskDraft
    from gitorch.services.workspace import Workspace


@click.command("submit")
@click.argument("text", nargs=-1)
@click.option("-d", "--decompose", is_flag=True, help="Make a plan of the text and queue its tasks.")
@click.option("-a", "--agent", default="", help="Agent to use: claude, codex, api, ... (or a role).")
@click.option("-r", "--role", default="", help="Role (specialist) to use.")
@click.option("-p", "--priority", type=click.Choice([priority.value for priority in Priority]), help="Priority.")
@click.option("--after", multiple=True, type=TASK, help="Start after this task (repeatable).")
@click.option("--context", help="JSON for the agent, or @FILE.")
@click.option("--check", "checks", multiple=True, metavar="CMD", help="Command that checks the result (repeatable).")
@click.option("--paths", multiple=True, metavar="GLOB", help="Paths that the task should stay in (repeatable).")
@click.option("--base", default="", metavar="REF", help="Start from REF instead of the configured base.")
@click.option("--budget", type=click.FloatRange(0), default=0.0, metavar="DOLLARS", help="Cost limit of one attempt.")
@click.option("--timeout", default="", metavar="TIME", help="Time limit of one attempt: 45m, 2h.")
@click.option(
    "-F", "--file", "files", multiple=True, metavar="FILE", help="Read tasks from a file or folder (- is stdin)."
)
@click.option("-e", "--edit", is_flag=True, help="Write the task in your editor.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be queued.")
@pass_session
def submit_command(session: Session, /, **options: Any) -> None:
    """Queue a task. TEXT is the prompt for the agent.

    \b
    orchestrate submit "Add a users table" --agent claude
    orchestrate submit "Add a login page" --after add-a-users-table
    orchestrate submit -F tasks.toml
    orchestrate submit -d "Create a blog platform"
    """
    if options["decompose"]:
        _decompose(session, options)
        return
    drafts = _with_options(session, _drafts(session, options), options)
    workspace, dry_run = session.workspace, options["dry_run"]
    resolve = services.submit.resolve_drafts if dry_run else services.submit.submit_drafts
    _print_submitted(session, resolve(workspace, drafts), dry_run=dry_run)


def _decompose(session: Session, options: dict[str, Any]) -> None:
    if options["files"]:
        raise click.UsageError("--decompose takes a text, not a file")
    drafts = _drafts(session, options)
    # invalid options are reported before a model is asked
    services.submit.resolve_drafts(session.workspace, _with_options(session, drafts, options))
    overrides, dry_run = _overrides(session, options), options["dry_run"]
    plan, tasks = decompose(session, drafts[0].prompt, overrides, dry_run=dry_run)
    _print_submitted(session, tasks, dry_run=dry_run, plan=plan.id)


def _drafts(session: Session, options: dict[str, Any]) -> list[TaskDraft]:
    text = " ".join(options["text"])
    if options["files"]:
        if text:
            raise click.UsageError("give a text or a file, not both")
        return [draft for name in options["files"] for draft in _read(session, name)]
    if options["edit"]:
        text = click.edit(text) or ""
    elif text in ("", "-") and not sys.stdin.isatty():
        # text that is not UTF-8 is refused with all other text that is not
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    elif not text:
        if not session.interactive:
            raise InvalidInput("empty-prompt", "the task has no text")
        text = click.edit("") or ""
    return [services.submit.draft_of(text)]


def _read(session: Session, name: str) -> list[TaskDraft]:
    if name == "-":
        return services.submit.parse_drafts(sys.stdin.buffer.read(), "-")
    return services.submit.read_drafts(session.start / name, name)


def _with_options(session: Session, drafts: Sequence[TaskDraft], options: dict[str, Any]) -> list[TaskDraft]:
    overrides = _overrides(session, options)
    return [msgspec.structs.replace(draft, **overrides) for draft in drafts]


def _overrides(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a draft that options set."""
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


def _context(session: Session, value: str | None) -> str:
    if not value:
        return ""
    name = value.removeprefix("@")
    text = value if value == name else config.decode(_content(session.start / name, name), name)
    try:
        json.loads(text)
        text.encode()
    except ValueError as error:
        raise InvalidInput("context", "--context is not JSON", why=str(error)) from error
    return text


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"cannot read {name}", why=str(error)) from error


def _print_submitted(session: Session, tasks: Sequence[Task], *, dry_run: bool, plan: str = "") -> None:
    workspace = session.workspace
    answer = schema.queue.SubmitAnswer.of(tasks, plan, dry_run=dry_run)
    session.answer(views.queue.queued(tasks, workspace.config.agent), answer)
    if session.json:
        return
    for task in tasks:
        session.say(safe(_role_line(workspace, task)))
    session.say("nothing was queued (dry run)" if dry_run else "next: orchestrate run")
    if dry_run and plan:
        session.say(f"next: orchestrate plan approve {plan}")


def _role_line(workspace: Workspace, task: Task) -> str:
    """Return which role a task has, why, and where that role is defined."""
    reason = f": {task.spec.role_reason}" if task.spec.role_reason else ", as named"
    return f"{task.id}: role {task.spec.role}{reason} ({workspace.roles[task.spec.role].origin})"
