"""`retry`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.choices import AGENT, RETRYABLE_TASK, not_empty
from gitorch.cli.session import Session, pass_session


@click.command("retry")
@click.argument("tasks", nargs=-1, required=True, type=RETRYABLE_TASK)
@click.option("-a", "--agent", default="", type=AGENT, callback=not_empty, metavar="AGENT", help="Use another agent.")
@pass_session
def retry_command(session: Session, tasks: tuple[str, ...], agent: str) -> None:
    """Queue a fresh attempt on a fresh base. Earlier attempts stay under refs/gitorch/attempts/."""
    services.people_only.require_person("queue tasks")
    workspace = session.workspace
    queued = services.submit.retry(
        workspace, [services.lookup.find_task(workspace, name) for name in tasks], agent=agent
    )
    session.answer(
        "\n".join(f"{task.id}  {task.state}" for task in queued),
        schema.queue.RetryAnswer(tasks=schema.task.tasks_json(queued)),
    )
    session.say("next: orchestrate run")
