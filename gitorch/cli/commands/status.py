"""`status`, `watch`, `agents`, `task`, `log`, `kill`, `retry`."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import NO_SANDBOX, TASK, Session, pass_session
from gitorch.errors import InvalidInput, NotFound
from gitorch.model.task import ALIVE, State, Task

if TYPE_CHECKING:
    from gitorch.executors.base import Submitted
    from gitorch.model.forecast import ForecastSummary
    from gitorch.model.outcome import Event


@click.command("status")
@click.option("--all", "show_all", is_flag=True, help="Show every task.")
@click.option("--exit-code", is_flag=True, help="Exit with 6 if something needs you.")
@pass_session
def status_command(session: Session, show_all: bool, exit_code: bool) -> None:
    """Show tasks and what needs your attention."""
    workspace = session.workspace
    tasks = workspace.tasks
    tip = services.branches.integration_tip(workspace)
    top = workspace.repository.work_tree or workspace.repository.common_dir
    if session.json:
        session.answer(
            "",
            schema.status.StatusAnswer.of(
                tasks.values(),
                repository=top,
                integration=workspace.config.integration,
                tip=tip,
                conflicts=services.forecast_record.saved_conflicts(workspace),
                candidate=services.forecast_record.saved_candidate(workspace),
            ),
        )
    else:
        from gitorch.cli.views import status as status_view

        session.answer(
            status_view.status(
                tasks.values(),
                repository=top.name,
                integration=workspace.config.integration,
                tip=tip,
                running=services.run_lock.is_running(workspace),
                warnings=(NO_SANDBOX,) if services.run_lock.is_running(workspace) else (),
                show_all=show_all,
                conflicts=services.forecast_record.saved_conflicts(workspace),
                candidate=services.forecast_record.saved_candidate(workspace),
            )
        )
    if exit_code and any(task.state in (State.FINISHED, State.CONFLICTED, State.FAILED) for task in tasks.values()):
        sys.exit(6)


@click.command("watch")
@click.option("--interval", default=1.0, help="Seconds between updates.")
@pass_session
def watch_command(session: Session, interval: float) -> None:
    """Watch the tasks live. Ctrl-C stops watching; the run continues."""
    from gitorch.cli.commands.run import tell_change
    from gitorch.cli.views import board

    workspace = session.workspace
    if session.screen.out_is_live and not session.json:
        board.watch(
            lambda: workspace.tasks,
            lambda: services.watch.activity(workspace),
            lambda: services.forecast_record.saved_forecast(workspace),
            interval=interval,
        )
        return
    pause = threading.Event()
    before: dict[str, Task] = {}
    foreseen: ForecastSummary = ((), None)
    while True:
        # asked first: what a run changes last is seen after it
        goes_on = services.run_lock.is_running(workspace)
        foreseen = _tell_foreseen(session, foreseen)
        tasks = workspace.tasks
        for task in tasks.values():
            if task != before.get(task.id):
                tell_change(session, task, before.get(task.id))
        before = {task.id: task for task in tasks.values()}
        if not goes_on and not any(task.state is State.RUNNING for task in tasks.values()):
            return
        pause.wait(interval)


def _tell_foreseen(session: Session, before: ForecastSummary) -> ForecastSummary:
    """Print what is foreseen where it has changed; return it."""
    from gitorch.cli.views import run

    found = services.forecast_record.saved_forecast(session.workspace)
    if found != before:
        if session.json:
            session.answer("", schema.run.ForecastEvent.of(*found, session.workspace.config.integration))
        elif (text := run.foreseen(*found)) is not None:
            session.answer(text)
    return found


@click.command("agents")
@pass_session
def agents_command(session: Session) -> None:
    """Show running agents."""
    from gitorch.cli.views import run

    rows = [
        {
            "task": task.id,
            "agent": task.spec.agent,
            "attempt": task.attempts,
            "doing": execution.step,
            "pid": status.pid,
            "started": schema.answer.timestamp(datetime.fromtimestamp(status.started, UTC)),
            **_usage(session, execution),
        }
        for task, execution, status in services.watch.running(session.workspace)
    ]
    agents = [schema.progress.AgentJson(**row) for row in rows]
    session.answer(run.agents(rows), schema.progress.AgentsAnswer(agents=agents))


def _usage(session: Session, execution: Submitted) -> dict[str, Any]:
    usage = services.watch.usage(session.workspace, execution)
    return {"memory": usage.memory, "cpu_seconds": usage.cpu_seconds}


@click.command("task")
@click.argument("task", required=False, type=TASK)
@click.option("--path", is_flag=True, help="Print only the path of its worktree.")
@click.option("--brief", is_flag=True, help="Print the agent's brief.")
@pass_session
def task_command(session: Session, task: str | None, path: bool, brief: bool) -> None:
    """Show one task."""
    from gitorch.cli.terminal.sanitize import safe_block
    from gitorch.cli.views import task as task_view
    from gitorch.model.forecast import conflicts_of

    found = session.find(task)
    if path:
        session.answer(found.worktree, schema.progress.TaskPathAnswer(worktree=found.worktree))
    elif brief:
        text, sent = services.context.brief(session.workspace, found)
        session.answer(safe_block(text), schema.progress.TaskBriefAnswer(brief=text, sent=sent))
    else:
        conflicts = conflicts_of(services.forecast_record.saved_conflicts(session.workspace), found.id)
        answer = schema.progress.TaskAnswer.of(found, conflicts, session.workspace.config.integration)
        session.answer(task_view.task_page(found, conflicts=conflicts), answer)


@click.command("log")
@click.argument("task", required=False, type=TASK)
@click.option("-f", "--follow", is_flag=True, help="Follow the log.")
@click.option("--attempt", type=int, metavar="N", help="Show attempt N.")
@click.option("--raw", is_flag=True, help="Print the raw output of the agent.")
@pass_session
def log_command(session: Session, task: str | None, follow: bool, attempt: int | None, raw: bool) -> None:
    """Show the output of an agent."""
    if raw and session.json:
        raise click.UsageError("--raw prints what the agent wrote: it does not go with --json")
    found = session.find(task)
    if not services.watch.executions(session.workspace, found, attempt):
        raise NotFound("no-log", f"{found.id} has not been started", why=found.reason, fix=("orchestrate run",))
    if raw:
        _tell_raw(session, found, attempt)
        return
    events = _following(session, found) if follow else _events(session, found, attempt)
    for name, event in events:
        _tell_event(session, name, event)


def _tell_raw(session: Session, task: Task, attempt: int | None) -> None:
    for execution in services.watch.executions(session.workspace, task, attempt):
        for output in services.watch.raw_outputs(session.workspace, execution):
            shutil.copyfileobj(output, sys.stdout.buffer)
    sys.stdout.flush()


def _tell_event(session: Session, name: str, event: Event) -> None:
    from gitorch.cli.views import events

    session.answer(events.event(event), schema.progress.LogAnswer.of(name, event))


def _events(session: Session, task: Task, attempt: int | None = None) -> Iterator[tuple[str, Event]]:
    for execution in services.watch.executions(session.workspace, task, attempt):
        for event in services.watch.transcript(session.workspace, task, execution):
            yield execution.step, event


def _following(session: Session, task: Task) -> Iterator[tuple[str, Event]]:
    """Yield events as they come, until the attempt is over."""
    told = 0
    pause = threading.Event()
    workspace = session.workspace
    while True:
        live = workspace.tasks[task.id].state in ALIVE
        events = list(_events(session, workspace.tasks[task.id]))
        yield from events[told:]
        told = len(events)
        if not live:
            return
        pause.wait(0.5)


@click.command("kill")
@click.argument("tasks", nargs=-1, type=TASK)
@click.option("--all", "every", is_flag=True, help="Kill every running task.")
@click.option("--now", is_flag=True, help="Kill immediately (no graceful stop).")
@pass_session
def kill_command(session: Session, tasks: tuple[str, ...], every: bool, now: bool) -> None:
    """Stop tasks. Their work stays on their branches."""
    from gitorch.storage import trust

    trust.require_person("stop tasks")
    workspace = session.workspace
    if every:
        chosen = [task for task in workspace.tasks.values() if task.state is State.RUNNING]
    elif tasks:
        chosen = [services.lookup.find_task(workspace, name) for name in tasks]
    else:
        raise InvalidInput("which-task", "which task? Name one, or pass --all")
    services.stop.kill(workspace, chosen, "killed", now=now)
    ended = _until_stopped(session, chosen)
    lines = [f"{task.id}  {task.state}" for task in ended] or ["nothing runs"]
    session.answer("\n".join(lines), schema.progress.KillAnswer(tasks=schema.task.tasks_json(ended)))


def _until_stopped(session: Session, tasks: list[Task]) -> list[Task]:
    """Wait until the run that holds the tasks has brought them to their end."""
    workspace = session.workspace
    pause = threading.Event()
    while True:
        # asked first: a run that ends meanwhile has brought them to their end before
        goes_on = services.run_lock.is_running(workspace)
        now = [workspace.tasks[task.id] for task in tasks]
        if not any(task.state is State.RUNNING for task in now) or not goes_on:
            return now
        pause.wait(0.2)


@click.command("retry")
@click.argument("tasks", nargs=-1, required=True, type=TASK)
@click.option("-a", "--agent", default="", help="Use another agent.")
@pass_session
def retry_command(session: Session, tasks: tuple[str, ...], agent: str) -> None:
    """Queue a fresh attempt on a fresh base. Earlier attempts stay under refs/gitorch/attempts/."""
    from gitorch.storage import trust

    trust.require_person("queue tasks")
    workspace = session.workspace
    queued = services.submit.retry(
        workspace, [services.lookup.find_task(workspace, name) for name in tasks], agent=agent
    )
    session.answer(
        "\n".join(f"{task.id}  {task.state}" for task in queued),
        schema.queue.RetryAnswer(tasks=schema.task.tasks_json(queued)),
    )
    session.say("next: orchestrate run")
