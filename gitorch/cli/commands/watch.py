"""`watch`."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.commands.changes import print_change
from gitorch.cli.session import Session, pass_session
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.extras import install_command
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.model.forecasts.conflict_forecast import ForecastSummary


@click.command("watch")
@click.option("--interval", default=1.0, help="Seconds between updates.")
@click.option("-i", "--interactive", is_flag=True, help="Choose a task and act on it, with a key for each command.")
@pass_session
def watch_command(session: Session, interval: float, interactive: bool) -> None:
    """Watch the tasks live. Ctrl-C stops watching; the run continues.

    Each task has a line: what it does now, and a timeline of its waits, attempts, checks and limits.

    With -i, arrows choose a task, and each key runs a command on it, as ? explains. Nothing can be done only here.
    Needs the extra `tui`: without it, the command says how to install it.
    """
    session.check_forecast()
    if interactive:
        _interact(session, interval)
    elif session.screen.out_is_live and not session.json:
        _show_board(session, interval)
    else:
        _print_changes(session, interval)


def _show_board(session: Session, interval: float) -> None:
    views.running.live.watch(lambda: session.workspace.tasks, _details_reader(session), interval=interval)


def _details_reader(session: Session) -> views.running.live.ReadDetails:
    """Return what reads the activity of the agents, the forecast, and whether a run is active."""
    workspace = session.workspace
    reader = services.watch.live_reader(workspace)

    def read(tasks: views.running.board.Tasks) -> views.running.board.Details:
        notice = "" if services.run_lock.is_running(workspace) else "no run is active; orchestrate run starts one"
        run = services.past.past_runs.active_run(workspace.folder)
        return views.running.board.Details(*reader.read(tasks), run, notice)

    return read


def _interact(session: Session, interval: float) -> None:
    if not session.interactive:
        raise InvalidInput("no-terminal", "watch -i needs a terminal", fix=("orchestrate watch",))
    try:
        app = importlib.import_module("gitorch.cli.commands.watch_app")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "textual":
            raise
        fix = (install_command("tui"),)
        raise SetupNeeded("tui-missing", "textual is not installed", why="it is an extra", fix=fix) from error
    workspace = session.workspace
    board = views.running.board.Board(session.screen.out, hint=app.HINT)
    run = app.running_in(session.start)
    app.WatchApp(board, lambda: workspace.tasks, _details_reader(session), interval=interval, run=run).run()


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
    forecast = services.merging.forecast_record.saved_forecast(session.workspace)
    if forecast != before:
        if session.json:
            session.answer("", schema.run.ForecastEvent.of(*forecast, session.workspace.config.integration))
        elif (text := views.running.run.merge_forecast(*forecast)) is not None:
            session.answer(text)
    return forecast
