"""`task`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.cli.terminal.sanitize import safe_block
from gitorch.model.branch_state import describe
from gitorch.model.forecasts.conflict_forecast import conflicts_of
from gitorch.services.past.past_tasks import PastTask


@click.command("task")
@click.argument("name", required=False, type=TASK, metavar="[TASK]")
@click.option("--path", is_flag=True, help="Print only the path of its worktree.")
@click.option("--brief", is_flag=True, help="Print the agent's brief.")
@pass_session
def task_command(session: Session, name: str | None, path: bool, brief: bool) -> None:
    """Show one task."""
    task, past = session.find_any(name)
    if past and not (path or brief):
        _show_past(session, past)
    elif path:
        session.answer(task.worktree, schema.progress.TaskPathAnswer(worktree=task.worktree))
    elif brief:
        text, sent = services.context.brief(session.workspace, task)
        session.answer(safe_block(text), schema.progress.TaskBriefAnswer(brief=text, sent=sent))
    else:
        session.check_forecast()
        conflicts = conflicts_of(services.merging.forecast_record.saved_conflicts(session.workspace), task.id)
        moved = services.change_watch.acknowledgement.unacknowledged(session.workspace, task.id)
        branch = services.branches.branch_tips.branch_state(session.workspace, task)
        resolutions = services.merging.forecast_record.saved_resolutions(session.workspace, task.id)
        integration = session.workspace.config.integration
        used = services.doctor.disk.of_task(session.workspace, task)
        disk = schema.progress.TaskDiskJson(worktree=used.worktree, room=used.room)
        answer = schema.progress.TaskAnswer.of(branch.task, conflicts, integration, moved, resolutions, disk)
        page = views.task.task_page(
            branch.task,
            session.workspace.tasks,
            conflicts=conflicts,
            resolutions=resolutions,
            moved=moved,
            by_hand=describe(branch),
            disk=(used.worktree, used.room),
        )
        session.answer(page, answer)


def _show_past(session: Session, past: PastTask) -> None:
    """Show a task that has left the board, as it was last."""
    answer = schema.progress.TaskAnswer.of_past(past.task, past.removed)
    page = "" if session.json else views.past.task_page(past)
    session.answer(page, answer)
