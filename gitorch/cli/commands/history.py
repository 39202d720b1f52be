"""`history`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import PAST_TASK
from gitorch.cli.session import Session, pass_session

_SHOWN = 15


@click.command("history")
@click.argument("name", required=False, type=PAST_TASK, metavar="[TASK]")
@click.option("--all", "show_all", is_flag=True, help=f"List everything; without it, the last {_SHOWN} of each.")
@pass_session
def history_command(session: Session, name: str | None, show_all: bool) -> None:
    """Show earlier runs, and tasks that `cleanup` has removed.

    With TASK, shows what was asked, done, judged and merged, and which refs hold it. The answers come from git notes,
    refs and the operation log.
    """
    workspace = session.workspace
    if name:
        history = services.past.task_history.task_history(workspace, name)
        page = "" if session.json else views.past.task_history(history)
        session.answer(page, schema.history.TaskHistoryAnswer.of(history))
        return
    runs, tasks = services.past.past_runs.past_runs(workspace), services.past.past_tasks.past_tasks(workspace)
    has_more = not show_all and max(len(runs), len(tasks)) > _SHOWN
    if has_more:
        runs, tasks = runs[:_SHOWN], tasks[:_SHOWN]
    answer = schema.history.HistoryAnswer.of(runs, tasks, has_more=has_more)
    session.answer("" if session.json else views.past.history(runs, tasks), answer)
    if has_more:
        session.say("for older ones: orchestrate history --all")
