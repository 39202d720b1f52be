"""`watch`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.commands.changes import print_change
from gitorch.cli.session import Session, pass_session
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.model.forecast import ForecastSummary


@click.command("watch")
@click.option("--interval", default=1.0, help="Seconds between updates.")
@pass_session
def watch_command(session: Session, interval: float) -> None:
    """Watch the tasks live. Ctrl-C stops watching; the run continues."""
    session.check_forecast()
    if session.screen.out_is_live and not session.json:
        _show_board(session, interval)
    else:
        _print_changes(session, interval)


def _show_board(session: Session, interval: float) -> None:
    workspace = session.workspace
    reader = services.watch.live_reader(workspace)
    views.live.watch(lambda: workspace.tasks, lambda tasks: views.board.Details(*reader.read(tasks)), interval=interval)


def _print_changes(session: Session, interval: float) -> None:
    """Print each change until the run has ended."""
    workspace = session.workspace
    pause = threading.Event()
    before: dict[str, Task] = {}
    forecast: ForecastSummary = ((), None)
    while True:
        # check the run before the tasks: what it changes last is printed, too
        is_active = services.run_lock.is_running(workspace)
        forecast = _print_forecast(session, forecast)
        tasks = workspace.tasks
        for task in tasks.values():
            if task != before.get(task.id):
                print_change(session, task, before.get(task.id))
        before = {task.id: task for task in tasks.values()}
        if not is_active and not any(task.state is State.RUNNING for task in tasks.values()):
            return
        pause.wait(interval)


def _print_forecast(session: Session, before: ForecastSummary) -> ForecastSummary:
    """Print the forecast if it has changed; return it."""
    forecast = services.forecast_record.saved_forecast(session.workspace)
    if forecast != before:
        if session.json:
            session.answer("", schema.run.ForecastEvent.of(*forecast, session.workspace.config.integration))
        elif (text := views.run.merge_forecast(*forecast)) is not None:
            session.answer(text)
    return forecast
