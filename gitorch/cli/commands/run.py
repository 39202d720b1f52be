"""`run`: the queue worked through, here or in the background, and told as it happens."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import NO_SANDBOX, Session, pass_session
from gitorch.errors import Incomplete, LimitReached, SetupNeeded
from gitorch.executors.foreground import start_detached
from gitorch.model.generators import drain
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.flow.scheduling.scheduler import RunLimits
    from gitorch.services.run import RunSummary


@click.command("run")
@click.option("-m", "--max-agents", type=click.IntRange(1, 200), help="Maximum number of agents at once.")
@click.option("--until", default=None, metavar="07:00", help="Start no task after this time.")
@click.option("--budget", type=click.FloatRange(0), metavar="DOLLARS", help="Start no task after spending this much.")
@click.option(
    "--max-unreviewed", type=click.IntRange(0), metavar="N", help="Start no task while N tasks wait for review."
)
@click.option(
    "--on-failure", type=click.Choice(["continue", "stop"]), default="continue", help="What to do after a failed task."
)
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the order without starting anything.")
@pass_session
def run_command(session: Session, /, dry_run: bool, detach: bool, **options: Any) -> None:
    """Run the queued tasks, each in its own worktree and on its own branch.

    Ctrl-C asks the agents to stop; a second one stops them immediately. Their work is kept, and the next run continues
    it.
    """
    limits = _limits(session, options)
    if dry_run:
        _tell_plan(session)
    elif detach:
        _detach(session)
    else:
        _run(session, limits)


def _limits(session: Session, options: dict[str, Any]) -> RunLimits:
    return services.run.run_limits(
        session.workspace.config,
        max_agents=options["max_agents"],
        until=options["until"],
        budget=options["budget"],
        max_unreviewed=options["max_unreviewed"],
        stop_on_failure=options["on_failure"] == "stop",
    )


def _tell_plan(session: Session) -> None:
    from gitorch.model import graph
    from gitorch.model.task import ALIVE

    alive = [task for task in session.workspace.tasks.values() if task.state in ALIVE]
    order = graph.merge_order(alive)
    lines = [
        f"{at:>4}  {task.id}  {task.spec.agent or 'auto'}"
        + (f"  after {', '.join(task.spec.after)}" if task.spec.after else "")
        for at, task in enumerate(order, start=1)
    ]
    session.answer(
        "\n".join(lines) or "the queue is empty", schema.run.RunOrderAnswer(order=schema.task.tasks_json(order))
    )


_BEGUN = "GITORCH_BEGUN"
"""The variable that tells a detached run to which handle it writes when nothing spoke against it."""


def _detach(session: Session) -> None:
    workspace = session.workspace
    workspace.folder.mkdir(parents=True, exist_ok=True)
    log = workspace.folder / "run.log"
    arguments = [word for word in sys.argv[1:] if word != "--detach"]
    child = start_detached([sys.executable, "-m", "gitorch", *arguments], log=log, ready_variable=_BEGUN)
    if child.exit_code:
        _tell_refused(session, child.output.decode("utf-8", "replace"), child.exit_code)
    session.answer(
        f"the run goes on in the background as process {child.pid}; it writes to {log}",
        schema.run.RunDetachedAnswer(pid=child.pid, log=str(log)),
    )
    session.say("next: orchestrate watch")


def _tell_refused(session: Session, said: str, code: int) -> None:
    """Print what a detached run said before it gave up, and exit as it did."""
    if session.json:
        sys.stdout.write(said.splitlines()[-1] + "\n")
    else:
        sys.stderr.write(said)
    sys.exit(code)


def _announced(changes: Generator[list[Task], None, RunSummary]) -> Generator[list[Task], None, RunSummary]:
    """Tell whoever detached this run that it has begun."""
    handle = os.environ.pop(_BEGUN, "")
    if handle:
        yield next(changes)
        os.write(int(handle), b".")
        os.close(int(handle))
    return (yield from changes)


def _run(session: Session, limits: RunLimits) -> None:
    workspace = session.workspace
    stop = threading.Event()
    session.screen.warn(NO_SANDBOX)
    with _polite_signals(session, stop):
        summary = _show(session, _announced(services.run.run(workspace, limits, stop)))
    _tell_summary(session, summary)


def _show(session: Session, changes: Generator[list[Task], None, RunSummary]) -> RunSummary:
    """Print each change as it comes, or keep a live board on a terminal."""
    from gitorch.cli.views import board

    workspace = session.workspace
    if session.screen.out_is_live and not session.json and not session.quiet:
        return board.follow(
            changes,
            lambda: workspace.tasks,
            lambda: services.watch.activity(workspace),
            lambda: services.forecast_record.saved_forecast(workspace),
        )
    before: dict[str, Task] = {task.id: task for task in workspace.tasks.values()}

    def show(tasks: list[Task]) -> None:
        for task in tasks:
            tell_change(session, task, before.get(task.id))
            before[task.id] = task

    return drain(changes, show)


def tell_change(session: Session, task: Task, before: Task | None) -> None:
    """Print what changed in a task since `before`, where it is worth a line."""
    from gitorch.cli.views import events

    if session.json:
        session.answer("", schema.run.TaskEvent.of(task))
    elif (line := events.event_line(task, before)) is not None:
        session.answer(line)


@contextmanager
def _polite_signals(session: Session, stop: threading.Event) -> Iterator[None]:
    """Have the first Ctrl-C ask the agents to stop, the second stop them at once, and a third end this process."""
    workspace = session.workspace
    asked = 0

    def asked_to_stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        stop.set()
        if asked > 2:
            os._exit(130)  # attempts are threads that wait for agents; the next run adopts those
        session.say("stopping the agents; their work is kept (again: at once)" if asked == 1 else "stopping at once")
        threading.Thread(
            target=services.stop.interrupt, args=(workspace,), kwargs={"now": asked > 1}, daemon=True
        ).start()

    before = {number: signal.signal(number, asked_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_summary(session: Session, summary: RunSummary) -> None:
    from gitorch.cli.views import run as run_view

    tasks = session.workspace.tasks
    changed = [tasks[name] for name in summary.changed if name in tasks]
    if session.json:
        session.answer("", schema.run.RunAnswer.of(summary, changed, session.workspace.config.integration))
    else:
        left = summary.stopped.reason if summary.stopped else ""
        session.answer(
            run_view.run_summary(
                changed,
                left,
                summary.seconds,
                summary.cost,
                conflicts=summary.conflicts,
                candidate=summary.candidate,
                troubles=summary.troubles,
            )
        )
    _exit_code(summary, changed)


def _exit_code(summary: RunSummary, changed: Sequence[Task]) -> None:
    from gitorch.flow.scheduling.scheduler import StopCause

    if summary.interrupted:
        sys.exit(130)
    if summary.stopped and summary.stopped.cause is StopCause.LOGIN:
        sys.exit(SetupNeeded.exit)
    if summary.stopped and summary.stopped.cause is StopCause.LIMIT:
        sys.exit(LimitReached.exit)
    # what changed and is queued again could not start: its reason says why
    if any(task.state in (State.FAILED, State.QUEUED, State.CONFLICTED) or task.passed is False for task in changed):
        sys.exit(Incomplete.exit)
