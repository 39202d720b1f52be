"""`preview`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import DONE_TASK
from gitorch.cli.session import Session, pass_session


@click.command("preview")
@click.argument("names", nargs=-1, type=DONE_TASK, metavar="[TASKS]...")
@click.option("--remove", is_flag=True, help="Remove the worktree of the last preview.")
@pass_session
def preview_command(session: Session, names: tuple[str, ...], remove: bool) -> None:
    """Try out tasks together, in a worktree of their own.

    Checks out the union of TASKS and of what they need: what `merge` of the same tasks would publish. Prepares the
    worktree like that of an agent. The next preview replaces it. Exits with 7 if it leaves out a task that conflicts.
    """
    workspace = session.workspace
    if remove:
        is_removed = services.merging.preview.remove_preview(workspace)
        session.answer(
            "removed the preview" if is_removed else "there is no preview", schema.preview.PreviewAnswer.removed()
        )
        return
    tasks = [task.id for task in session.find_all(names)]
    with services.merging.replaying.open_replayer(workspace) as replayer:
        plan = services.merging.preview.plan_preview(workspace, replayer, tasks)
        preview = services.merging.preview.open_preview(workspace, replayer, plan)
        hunks = {clash.task.id: services.merging.merge.conflict_hunks(replayer, clash) for clash in plan.conflicts}
    session.answer(views.merging.preview.preview(preview), schema.preview.PreviewAnswer.of(preview, hunks))
    session.say("to remove it: orchestrate preview --remove")
    if plan.conflicts:
        sys.exit(7)
