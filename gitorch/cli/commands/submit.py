"""`submit`: text, an editor or files become queued tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import AGENTS
from gitorch.cli.commands.plan.drafting import decompose
from gitorch.cli.commands.request_options import request_options, requested_fields
from gitorch.cli.commands.text_editor import edit_text, require_editor
from gitorch.cli.session import FILE_NAME, Session
from gitorch.cli.terminal.sanitize import safe
from gitorch.errors import InvalidInput
from gitorch.model.roles import BUILT_IN_ORIGIN
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.flow.intake import TaskDraft
    from gitorch.services.workspace import Workspace

_TEMPLATE = """\
+++
# Settings of this task; without the # they count. All are optional.
# agent = "claude"
# agents = ["claude", "codex"]
# role = "generalist"
# priority = "high"
# after = ["another-task"]
# paths = ["src/**"]
# checks = { test = "make test" }
# base = "main"
# budget = 5.0
# timeout = "45m"
+++
"""
_TEMPLATE_END = "\n+++\n"


@click.command("submit")
@click.argument("text", nargs=-1)
@click.option("-d", "--decompose", is_flag=True, help="Make a plan of the text and queue its tasks.")
@request_options
@click.option("--agents", type=AGENTS, metavar="A,B", help="Rival attempts side by side, one by each of these agents.")
@click.option("--attempts", type=click.IntRange(1, 9), metavar="N", help="N rival attempts side by side.")
@click.option(
    "-F", "--file", "files", multiple=True, type=FILE_NAME, help="Read tasks from a file or folder (- is stdin)."
)
@click.option("--from", "source", default="", metavar="gh:...", help="Issues: gh:label=agent, or gh:12,15 (needs gh).")
@click.option("-e", "--edit", is_flag=True, help="Write the task in your editor.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be queued.")
@click.option("--run", is_flag=True, help="Start a run afterwards.")
@click.pass_context
def submit_command(ctx: click.Context, /, run: bool, **options: Any) -> None:
    """Queue a task. TEXT is the prompt for the agent.

    \b
    orchestrate submit "Add a users table" --agent claude
    orchestrate submit "Add a login page" --after add-a-users-table
    orchestrate submit -F tasks.toml
    orchestrate submit -d "Create a blog platform"
    """
    if run and options["dry_run"]:
        raise click.UsageError("--run and --dry-run exclude each other")
    session = ctx.ensure_object(Session)
    _submit(session, options, runs=run)
    if run:
        # through the group, so that a submit without a run does without its modules
        command = cast(click.Group, ctx.find_root().command).get_command(ctx, "run")
        ctx.invoke(cast(click.Command, command))


def _submit(session: Session, options: dict[str, Any], *, runs: bool) -> None:
    if options["decompose"]:
        _decompose(session, options, runs=runs)
        return
    if sum(" " in text.strip() for text in options["text"]) > 1:
        session.say(f"{len(options['text'])} texts in quotes are one task: to queue several, submit each, or use -F")
    drafts = _with_options(session, _drafts(session, options), options)
    workspace, dry_run = session.workspace, options["dry_run"]
    resolve = services.submit.resolve_drafts if dry_run else services.submit.submit_drafts
    _print_submitted(session, resolve(workspace, drafts), dry_run=dry_run, runs=runs)


def _decompose(session: Session, options: dict[str, Any], *, runs: bool) -> None:
    if options["files"] or options["source"]:
        raise click.UsageError("--decompose takes a text, not a file or issues")
    if options["agents"] or options["attempts"]:
        raise click.UsageError("--agents and --attempts are for one task, not for a plan")
    drafts = _drafts(session, options)
    # invalid options are reported before a model is asked
    services.submit.resolve_drafts(session.workspace, _with_options(session, drafts, options))
    overrides, dry_run = _overrides(session, options), options["dry_run"]
    plan, tasks = decompose(session, drafts[0].prompt, overrides, dry_run=dry_run)
    _print_submitted(session, tasks, dry_run=dry_run, plan=plan.id, runs=runs)


def _drafts(session: Session, options: dict[str, Any]) -> list[TaskDraft]:
    text = " ".join(options["text"])
    if options["source"]:
        if text or options["files"]:
            raise click.UsageError("give a text, a file or --from, not several")
        return _from_issues(session, options["source"])
    if options["files"]:
        if text:
            raise click.UsageError("give a text or a file, not both")
        return [draft for name in options["files"] for draft in _read(session, name)]
    if options["edit"]:
        return _written(session, text)
    elif text in ("", "-") and not sys.stdin.isatty():
        # text that is not UTF-8 is refused with all other text that is not
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    elif not text:
        if not session.interactive:
            raise InvalidInput("empty-prompt", "the task has no text")
        return _written(session, "")
    return [services.submit.draft_of(text)]


def _from_issues(session: Session, source: str) -> list[TaskDraft]:
    drafts, known = services.github.issues.issue_drafts(session.workspace, source)
    for address in known:
        session.say(f"already a task: {safe(address)}")
    return drafts


def _written(session: Session, text: str) -> list[TaskDraft]:
    """Return the task that a person writes into a template."""
    require_editor(session, "write the task", "orchestrate submit TEXT", "orchestrate submit -F FILE")
    written = edit_text(session, _TEMPLATE + text, extension=".md", require_save=True)
    _, has_settings, below = (written or "").partition(_TEMPLATE_END)
    if written is None or not (below if has_settings else written).strip():
        raise InvalidInput("empty-prompt", "the task has no text", why="nothing was written below the settings")
    return services.submit.parse_drafts(written.encode(), "task.md")


def _read(session: Session, name: str) -> list[TaskDraft]:
    if name == "-":
        return services.submit.parse_drafts(sys.stdin.buffer.read(), "-")
    return services.submit.read_drafts(session.start / name, name)


def _with_options(session: Session, drafts: Sequence[TaskDraft], options: dict[str, Any]) -> list[TaskDraft]:
    overrides = _overrides(session, options)
    return [msgspec.structs.replace(draft, **overrides) for draft in drafts]


def _overrides(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a draft that options set."""
    for name, option in {"checks": "--check", "paths": "--paths", "after": "--after"}.items():
        if "" in options[name]:
            raise click.UsageError(f"{option} is empty")
    fields = {name: value for name, value in requested_fields(session, options).items() if value}
    if options["agents"]:
        fields["agents"] = tuple(filter(None, (name.strip() for name in options["agents"].split(","))))
    if options["attempts"]:
        fields["attempts"] = options["attempts"]
    return fields


def _print_submitted(session: Session, tasks: Sequence[Task], *, dry_run: bool, plan: str = "", runs: bool) -> None:
    workspace = session.workspace
    answer = schema.queue.SubmitAnswer.of(tasks, plan, dry_run=dry_run)
    session.answer(views.queue.queued(tasks, workspace.config.agent), answer)
    if session.json or not tasks:
        return
    for task in tasks:
        session.say(safe(_role_line(workspace, task)))
        for warning in services.input_checks.missing_programs(task.spec.checks):
            session.screen.warn(safe(warning))
    for task in tasks:
        if task.spec.rival and task.spec.rival.number == 1:
            session.say(
                f"{task.spec.rival.of} rival attempts: orchestrate approve {task.id} picks the one that is proposed"
            )
    if not runs:
        session.say("nothing was queued (dry run)" if dry_run else "next: orchestrate run")
    if dry_run and plan:
        session.say(f"next: orchestrate plan approve {plan}")


def _role_line(workspace: Workspace, task: Task) -> str:
    """Return which role a task has, why, and where that role is defined if it is not a built-in one."""
    reason = f": {task.spec.role_reason}" if task.spec.role_reason else ", as named"
    origin = workspace.roles[task.spec.role].origin
    return f"{task.id}: role {task.spec.role}{reason}" + (f" ({origin})" if origin != BUILT_IN_ORIGIN else "")
