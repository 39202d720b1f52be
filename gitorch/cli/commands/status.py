"""`status`, `watch`, `agents`, `task`, `log`, `kill`, `retry`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitorch.cli.session import NO_SANDBOX, TASK, Session, pass_session
from gitorch.errors import InvalidInput, NotFound
from gitorch.model.task import ALIVE, State, Task

if TYPE_CHECKING:
    from gitorch.model.forecast import Foreseen
    from gitorch.model.outcome import Event


@click.command("status")
@click.option("--all", "show_all", is_flag=True, help="Show every task.")
@click.option("--exit-code", is_flag=True, help="Exit with 6 when something waits for you.")
@pass_session
def status_command(session: Session, show_all: bool, exit_code: bool) -> None:
    """Show whose turn it is."""
    orchestrator = session.orchestrator
    tasks = orchestrator.tasks
    tip = orchestrator.integration()
    top = orchestrator.repository.work_tree or orchestrator.repository.common_dir
    if session.json:
        from gitorch.cli.schema import answers

        branch = orchestrator.config.integration
        fields = answers.status(tasks.values(), repository=top, branch=branch, oid=tip)
        foreseen = answers.foreseen(orchestrator.conflicts(), orchestrator.candidate(), branch)
        session.answer("", "status", {**fields, **foreseen})
    else:
        from gitorch.cli.views import status as status_view

        session.answer(
            status_view.status(
                tasks.values(),
                repository=top.name,
                integration=orchestrator.config.integration,
                tip=tip,
                running=orchestrator.is_running(),
                warnings=(NO_SANDBOX,) if orchestrator.is_running() else (),
                show_all=show_all,
                conflicts=orchestrator.conflicts(),
                candidate=orchestrator.candidate(),
            )
        )
    if exit_code and any(task.state in (State.FINISHED, State.CONFLICTED, State.FAILED) for task in tasks.values()):
        sys.exit(6)


@click.command("watch")
@click.option("--interval", default=1.0, help="Seconds between two looks.")
@pass_session
def watch_command(session: Session, interval: float) -> None:
    """Watch the tasks live. Ctrl-C ends the watching, not the work."""
    from gitorch.cli.commands.run import tell_change
    from gitorch.cli.views import board

    orchestrator = session.orchestrator
    if session.screen.animated and not session.json:
        board.watch(lambda: orchestrator.tasks, orchestrator.activity, orchestrator.foreseen, interval=interval)
        return
    pause = threading.Event()
    before: dict[str, Task] = {}
    foreseen: Foreseen = ((), None)
    while True:
        # asked first: what a run changes last is seen after it
        goes_on = orchestrator.is_running()
        foreseen = _tell_foreseen(session, foreseen)
        tasks = orchestrator.tasks
        for task in tasks.values():
            if task != before.get(task.id):
                tell_change(session, task, before.get(task.id))
        before = {task.id: task for task in tasks.values()}
        if not goes_on and not any(task.state is State.RUNNING for task in tasks.values()):
            return
        pause.wait(interval)


def _tell_foreseen(session: Session, before: Foreseen) -> Foreseen:
    """Print what is foreseen where it has changed; return it."""
    from gitorch.cli.schema import answers
    from gitorch.cli.views import run

    found = session.orchestrator.foreseen()
    if found != before:
        if session.json:
            fields = answers.foreseen(*found, session.orchestrator.config.integration)
            session.answer("", "event", {"at": answers.now(), **fields})
        elif text := run.foreseen(*found):
            session.answer(text)
    return found


@click.command("agents")
@pass_session
def agents_command(session: Session) -> None:
    """Show who is at work now, from any shell."""
    from gitorch.cli.schema import answers
    from gitorch.cli.views import run

    rows = [
        {
            "task": task.id,
            "agent": task.spec.agent,
            "attempt": task.attempts,
            "doing": handle.name,
            "pid": status.pid,
            "started": answers.at(datetime.fromtimestamp(status.started, UTC)),
            **_used(status.pid),
        }
        for task, handle, status in session.orchestrator.running()
    ]
    session.answer(run.agents(rows), "agents", {"agents": rows})


def _used(pid: int) -> dict[str, Any]:
    """Return the memory in bytes and the processor seconds of an execution's processes."""
    import psutil

    memory, seconds = 0, 0.0
    try:
        for process in psutil.Process(pid).children(recursive=True):
            memory += process.memory_info().rss
            times = process.cpu_times()
            seconds += times.user + times.system
    except psutil.NoSuchProcess:
        pass  # it ended while we looked
    return {"memory": memory, "cpu_seconds": round(seconds, 1)}


@click.command("task")
@click.argument("task", required=False, type=TASK)
@click.option("--path", is_flag=True, help="Print its worktree alone, for cd.")
@click.option("--brief", is_flag=True, help="Print what its agent was told, or will be.")
@pass_session
def task_command(session: Session, task: str | None, path: bool, brief: bool) -> None:
    """Show everything about one task."""
    from gitorch.cli.schema import answers
    from gitorch.cli.terminal.sanitize import safe_block
    from gitorch.cli.views import task as task_view
    from gitorch.model.forecast import of_task

    found = session.find(task)
    if path:
        session.answer(found.worktree, "task", {"worktree": found.worktree})
    elif brief:
        text, sent = session.orchestrator.brief(found)
        session.answer(safe_block(text), "task", {"brief": text, "sent": sent})
    else:
        branch = session.orchestrator.config.integration
        conflicts = of_task(session.orchestrator.conflicts(), found.id)
        fields: dict[str, Any] = {"task": {**answers.task(found), "prompt": found.spec.prompt, **answers.asked(found)}}
        fields["conflicts"] = [answers.foreseen_conflict(one, branch) for one in conflicts]
        session.answer(task_view.task_page(found, conflicts=conflicts), "task", fields)


@click.command("log")
@click.argument("task", required=False, type=TASK)
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows.")
@click.option("--attempt", type=int, help="Of an earlier attempt.")
@click.option("--raw", is_flag=True, help="As the agent wrote it.")
@pass_session
def log_command(session: Session, task: str | None, follow: bool, attempt: int | None, raw: bool) -> None:
    """Show what an agent said and did."""
    found = session.find(task)
    if not session.orchestrator.executions(found, attempt):
        raise NotFound("no-log", f"{found.id} has not been started", why=found.reason, fix=("orchestrate run",))
    if raw:
        _tell_raw(session, found, attempt)
        return
    events = _following(session, found) if follow else _events(session, found, attempt)
    for name, event in events:
        _tell_event(session, name, event)


def _tell_raw(session: Session, task: Task, attempt: int | None) -> None:
    for execution in session.orchestrator.executions(task, attempt):
        for name in ("stdout", "stderr"):
            if (execution / name).exists():
                sys.stdout.buffer.write((execution / name).read_bytes())
    sys.stdout.flush()


def _tell_event(session: Session, name: str, event: Event) -> None:
    from gitorch.cli.views import events

    session.answer(
        events.event(event), "log", {"execution": name, "kind": event.kind, "tool": event.tool, "text": event.text}
    )


def _events(session: Session, task: Task, attempt: int | None = None) -> Iterator[tuple[str, Event]]:
    for execution in session.orchestrator.executions(task, attempt):
        for event in session.orchestrator.transcript(task, execution):
            yield execution.name, event


def _following(session: Session, task: Task) -> Iterator[tuple[str, Event]]:
    """Yield events as they come, until the attempt is over."""
    told = 0
    pause = threading.Event()
    orchestrator = session.orchestrator
    while True:
        live = orchestrator.tasks[task.id].state in ALIVE
        events = list(_events(session, orchestrator.tasks[task.id]))
        yield from events[told:]
        told = len(events)
        if not live:
            return
        pause.wait(0.5)


@click.command("kill")
@click.argument("tasks", nargs=-1, type=TASK)
@click.option("--all", "every", is_flag=True, help="All that run.")
@click.option("--now", is_flag=True, help="At once, without asking the agent first.")
@pass_session
def kill_command(session: Session, tasks: tuple[str, ...], every: bool, now: bool) -> None:
    """Stop tasks, from any shell. What they did is kept on their branches."""
    from gitorch.cli.schema import answers
    from gitorch.storage import trust

    trust.require_person("stop tasks")
    orchestrator = session.orchestrator
    if every:
        chosen = [task for task in orchestrator.tasks.values() if task.state is State.RUNNING]
    elif tasks:
        chosen = [orchestrator.find(name) for name in tasks]
    else:
        raise InvalidInput("which-task", "which task? Name one, or pass --all")
    orchestrator.kill(chosen, "killed", now=now)
    ended = _until_stopped(session, chosen)
    lines = [f"{task.id}  {task.state}" for task in ended] or ["nothing runs"]
    session.answer("\n".join(lines), "kill", {"tasks": [answers.task(task) for task in ended]})


def _until_stopped(session: Session, tasks: list[Task]) -> list[Task]:
    """Wait until the run that holds the tasks has brought them to their end."""
    orchestrator = session.orchestrator
    pause = threading.Event()
    while True:
        # asked first: a run that ends meanwhile has brought them to their end before
        goes_on = orchestrator.is_running()
        now = [orchestrator.tasks[task.id] for task in tasks]
        if not any(task.state is State.RUNNING for task in now) or not goes_on:
            return now
        pause.wait(0.2)


@click.command("retry")
@click.argument("tasks", nargs=-1, required=True, type=TASK)
@click.option("-a", "--agent", default="", help="By another agent.")
@pass_session
def retry_command(session: Session, tasks: tuple[str, ...], agent: str) -> None:
    """Queue a fresh attempt, on a fresh base. The earlier one is kept under refs/gitorch/attempts/."""
    from gitorch.cli.schema import answers
    from gitorch.storage import trust

    trust.require_person("queue tasks")
    orchestrator = session.orchestrator
    queued = orchestrator.retry([orchestrator.find(name) for name in tasks], agent=agent)
    session.answer(
        "\n".join(f"{task.id}  {task.state}" for task in queued),
        "retry",
        {"tasks": [answers.task(task) for task in queued]},
    )
    session.say("next: orchestrate run")
