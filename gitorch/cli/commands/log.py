"""`log`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
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
from gitorch.model.credentials.redaction import Redactor
from gitorch.model.event_filter import event_filter
from gitorch.model.task import Task
from gitorch.model.wall_clock import last_time

if TYPE_CHECKING:
    from gitorch.executors.protocol import Submitted
    from gitorch.model.outcome import Event
    from gitorch.services.workspace import Workspace


@click.command("log")
@click.argument("name", required=False, type=STARTED_TASK, metavar="[TASK]")
@click.option("-f", "--follow", is_flag=True, help="Follow the log.")
@click.option("--attempt", type=int, metavar="N", help="Show attempt N.")
@click.option("--commands", is_flag=True, help="Only what the agent did: its commands and other tools.")
@click.option("--grep", metavar="PATTERN", help="Only lines in which a regular expression matches.")
@click.option(
    "--since",
    metavar="TIME",
    help="Only what happened since then: 07:00, 30m for the last 30 minutes, or 2026-11-30T07:00:10Z.",
)
@click.option("--times", is_flag=True, help="Say when each event happened.")
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
    times: bool,
    raw: bool,
) -> None:
    """Show the output of a task's agent.

    Of the output of a tool the end is shown; --json has all of it. For a task
    that `cleanup` has removed, this works until its log leaves the trash.
    """
    if raw and session.json:
        raise click.UsageError("--raw and --json exclude each other")
    if raw and (commands or grep or since or times):
        raise click.UsageError("--raw shows everything: it takes no --commands, --grep, --since or --times")
    shown_of = event_filter(commands=commands, pattern=grep)
    earliest = _moment(since) if since else None
    task, past = session.find_any(name)
    workspace = services.past.past_tasks.with_logs(session.workspace, past) if past else session.workspace
    if not services.transcripts.executions(workspace, task, attempt):
        raise _no_log(task)
    if raw:
        _print_raw(workspace, task, attempt)
        return
    live = follow and past is None
    events = services.transcripts.follow(workspace, task) if live else _events(workspace, task, attempt)
    is_recent = _recency(workspace, earliest)
    has_headings = not (session.json or grep or commands)
    execution, shown_step = None, views.events.step_words("agent")
    for execution, event in events:
        if is_recent(execution, event) and (wanted := shown_of(event)):
            if has_headings and (step := views.events.step_words(execution.step)) != shown_step:
                session.answer(views.events.step_heading(step))
                shown_step = step
            session.answer(
                views.events.event(wanted, with_time=times), schema.progress.LogAnswer.of(execution.step, wanted)
            )
    if execution is None:
        session.say(f"{task.id} has printed nothing")


def _no_log(task: Task) -> NotFound:
    if task.adopted and not task.attempts:
        what = f"{task.id} was adopted, and no agent has worked on it"
        return NotFound("no-log", what, fix=(f"orchestrate diff {task.id}",))
    if not task.attempts:
        return NotFound("no-log", f"{task.id} has not been started", why=task.full_reason, fix=("orchestrate run",))
    why = "its files are gone, or do not have the seal of this user"
    return NotFound("no-log", f"there is no log of {task.id}", why=why, fix=(f"orchestrate task {task.id}",))


def _recency(workspace: Workspace, earliest: datetime | None) -> Callable[[Submitted, Event], bool]:
    """Return whether an event happened since a time; where its time is not known, whether its step still ran then."""
    if earliest is None:
        return lambda *_: True
    ran_since = cache(partial(services.transcripts.ran_since, workspace, since=earliest))

    def is_recent(execution: Submitted, event: Event) -> bool:
        return ran_since(execution) if event.time is None else event.time >= earliest.timestamp()

    return is_recent


def _moment(text: str) -> datetime:
    """Return when `07:00` was last, a time as long ago as a duration says, or a time that is written out."""
    now = datetime.now(UTC)
    with suppress(ValueError):
        if "-" in text:
            return datetime.fromisoformat(text).astimezone(UTC)
    return last_time(text, now) if ":" in text else now - timedelta(seconds=config.seconds(text))


def _print_raw(workspace: Workspace, task: Task, attempt: int | None) -> None:
    for execution in services.transcripts.executions(workspace, task, attempt):
        for output in services.transcripts.raw_outputs(workspace, execution):
            for block in shown(
                whole_lines(iter(partial(output.read, 65_536), b"")), None, Redactor().feed, escape=sys.stdout.isatty()
            ):
                sys.stdout.buffer.write(block)
    sys.stdout.flush()


def _events(workspace: Workspace, task: Task, attempt: int | None) -> Iterator[tuple[Submitted, Event]]:
    for execution in services.transcripts.executions(workspace, task, attempt):
        for event in services.transcripts.read_transcript(workspace, task, execution):
            yield execution, event
