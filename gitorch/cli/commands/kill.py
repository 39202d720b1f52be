"""`kill`."""

from __future__ import annotations

import threading

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.choices import LIVE_TASK
from gitorch.cli.session import Session, pass_session
from gitorch.model.task import State, Task


@click.command("kill")
@click.argument("names", nargs=-1, type=LIVE_TASK, metavar="[TASKS]...")
@click.option("--all", "kill_all", is_flag=True, help="Kill every running task.")
@click.option("--now", is_flag=True, help="Kill immediately (no graceful stop).")
@pass_session
def kill_command(session: Session, names: tuple[str, ...], kill_all: bool, now: bool) -> None:
    """Stop tasks. Their work stays on their branches."""
    services.people_only.require_person("stop tasks")
    workspace = session.workspace
    if kill_all:
        tasks = [task for task in workspace.tasks.values() if task.state is State.RUNNING]
    else:
        tasks = session.find_all(names)
    services.stop.kill(workspace, tasks, "killed", now=now)
    stopped = _until_stopped(session, tasks)
    lines = [f"{task.id}  {task.state}" for task in stopped] or ["no task is running"]
    session.answer("\n".join(lines), schema.progress.KillAnswer(tasks=schema.task.tasks_json(stopped)))


def _until_stopped(session: Session, tasks: list[Task]) -> list[Task]:
    """Wait until the active run has stopped the tasks; return them as they are then."""
    workspace = session.workspace
    pause = threading.Event()
    while True:
        # check the run before the tasks: a run stops its tasks before it ends
        is_active = services.run_lock.is_running(workspace)
        current = [workspace.tasks[task.id] for task in tasks]
        if not any(task.state is State.RUNNING for task in current) or not is_active:
            return current
        pause.wait(0.2)
