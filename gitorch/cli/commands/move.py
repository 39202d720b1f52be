"""`move`: change the place of tasks in the queue."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import QUEUED_TASK
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.model import graph


@click.command("move")
@click.argument("names", nargs=-1, required=True, type=QUEUED_TASK, metavar="TASK...")
@click.option("--first", is_flag=True, help="Start before all others.")
@click.option("--last", is_flag=True, help="Start after all others.")
@click.option("--before", type=QUEUED_TASK, help="Start before this task.")
@click.option("--after-in-queue", type=QUEUED_TASK, help="Start after this task, without waiting for its work.")
@pass_session
def move_command(
    session: Session, names: tuple[str, ...], first: bool, last: bool, before: str | None, after_in_queue: str | None
) -> None:
    """Change the place of tasks in the queue.

    The place counts more than the priority. A task still waits for what it needs (submit --after).

    \b
    orchestrate move add-a-users-table --first
    """
    if [first, last, before is not None, after_in_queue is not None].count(True) != 1:
        raise click.UsageError("give one of --first, --last, --before and --after-in-queue")
    workspace = session.workspace
    end = services.queue.QueueEnd.FIRST if first else services.queue.QueueEnd.LAST if last else None
    position = services.queue.Position(
        end=end,
        before=session.find(before).id if before is not None else None,
        behind=session.find(after_in_queue).id if after_in_queue is not None else None,
    )
    moved = services.queue.move(workspace, [session.find(name) for name in dict.fromkeys(names)], position)
    queue = services.queue.waiting(workspace)
    session.answer(views.queue.queued(queue, workspace.config.agent), schema.queue.MoveAnswer.of(moved, queue))
    for task in moved:
        if needed := graph.blockers(task, workspace.tasks):
            session.say(f"{task.id} waits for {', '.join(other.id for other in needed)}")
    session.say(UNDO_HINT)
