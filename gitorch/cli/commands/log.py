"""`log`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import click

from gitorch import config, services
from gitorch.cli import schema, views
from gitorch.cli.choices import STARTED_TASK
from gitorch.cli.session import Session, pass_session
from gitorch.cli.terminal.patch import shown, whole_lines
from gitorch.errors import NotFound
from gitorch.model.event_filter import event_filter
from gitorch.model.redact import Redactor
from gitorch.model.task import Task
from gitorch.model.wall_clock import last_time

if TYPE_CHECKING:
    from gitorch.executors.base import Submitted
    from gitorch.model.outcome import Event
    from gitorch.services.workspace import Workspace


@click.command("log")
@click.argument("name", required=False, type=STARTED_TASK, metavar="[TASK]")
@click.option("-f", "--follow", is_flag=True, help="Follow the log.")
@click.option("--attempt", type=int, metavar="N", help="Show attempt N.")
@click.option("--commands", is_flag=True, help="Only what the agent did: its commands and other tools.")
@click.option("--grep", metavar="PATTERN", help="Only lines in which a regular expression matches.")
@click.option("--since", metavar="TIME", help="Only steps that ran since then: 07:00, or 30m for the last 30 minutes.")
@click.option("--raw", is_flag=True, help="Print the output of the agent as it was written, with credentials redacted.")
@pass_session
def log_command(
    session: Session,
    name: str | None,
    follow: bool,
    attempt: int | None,
    commands: bool,
    grep: str | None,
    since: str | None,
    raw: bool,
) -> None:
    """Show the output of a task's agent.

    Of the output of a tool the end is shown; --json has all of it. For a task
    that `cleanup` has removed, this works until its log leaves the trash.
    """
    if raw and session.json:
        raise click.UsageError("--raw and --json exclude each other")
    if raw and (commands or grep or since):
        raise click.UsageError("--raw shows everything: it takes no --commands, --grep or --since")
    shown_of, earliest = event_filter(commands=commands, pattern=grep), _moment(since) if since else None
    task, past = session.find_any(name)
    workspace = services.past_tasks.with_logs(session.workspace, past) if past else session.workspace
    if not services.watch.executions(workspace, task, attempt):
        raise NotFound("no-log", f"{task.id} has not been started", why=task.full_reason, fix=("orchestrate run",))
    if raw:
        _print_raw(workspace, task, attempt)
        return
    live = follow and past is None
    events = services.watch.follow(workspace, task) if live else _events(workspace, task, attempt)
    is_wanted = cache(lambda execution: earliest is None or services.watch.ran_since(workspace, execution, earliest))
    for execution, event in events:
        if is_wanted(execution) and (wanted := shown_of(event)):
            session.answer(views.events.event(wanted), schema.progress.LogAnswer.of(execution.step, wanted))


def _moment(text: str) -> datetime:
    """Return when `07:00` was last, or a time as long ago as a duration says."""
    now = datetime.now(UTC)
    return last_time(text, now) if ":" in text else now - timedelta(seconds=config.seconds(text))


def _print_raw(workspace: Workspace, task: Task, attempt: int | None) -> None:
    for execution in services.watch.executions(workspace, task, attempt):
        for output in services.watch.raw_outputs(workspace, execution):
            for block in shown(
                whole_lines(iter(partial(output.read, 65_536), b"")), None, Redactor().feed, escape=sys.stdout.isatty()
            ):
                sys.stdout.buffer.write(block)
    sys.stdout.flush()


def _events(workspace: Workspace, task: Task, attempt: int | None) -> Iterator[tuple[Submitted, Event]]:
    for execution in services.watch.executions(workspace, task, attempt):
        for event in services.watch.transcript(workspace, task, execution):
            yield execution, event
