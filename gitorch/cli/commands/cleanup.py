"""`cleanup`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import UNDO_HINT, Session, pass_session


@click.command("cleanup")
@click.option("-n", "--dry-run", is_flag=True, help="List what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def cleanup_command(session: Session, dry_run: bool, yes: bool) -> None:
    """Remove merged and rejected tasks, with their worktrees and branches.

    Nothing is deleted yet: worktrees and logs go to a trash, which is kept for `trash.keep`. The commits of each branch
    stay under refs/gitorch/trash/, uncommitted files under refs/gitorch/rescue/. `undo` brings all of it back.
    """
    if not dry_run:
        services.guard.require_person("clean up")
    workspace = session.workspace
    tasks = services.maintenance.removable(workspace)
    answer = schema.maintenance.CleanupAnswer(tasks=[task.id for task in tasks], dry_run=dry_run)
    listing = "\n".join(f"{task.id}  {task.state}  {task.worktree}" for task in tasks)
    if dry_run or not tasks:
        session.answer(listing or "nothing to clean up", answer)
        return
    if not yes:
        session.say(listing)
    if not session.confirm(f"Remove {len(tasks)} worktrees and branches?", yes=yes):
        session.answer("nothing was removed", schema.maintenance.CleanupAnswer(tasks=[], dry_run=dry_run))
        return
    for task in services.maintenance.cleanup(workspace, tasks):
        session.say(f"removed {task.id}")
    session.answer(f"{len(tasks)} tasks removed", answer)
    session.say(UNDO_HINT)
