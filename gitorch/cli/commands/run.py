"""`run`: work through the queue, in the foreground or in the background."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import DOLLARS, not_empty
from gitorch.cli.commands.changes import print_change
from gitorch.cli.commands.report import write_page
from gitorch.cli.session import Session, pass_session
from gitorch.errors import AnswerNeeded, Incomplete, LimitReached, SetupNeeded
from gitorch.executors import keep_awake
from gitorch.executors.foreground import start_detached
from gitorch.flow.scheduling.run_limits import RunLimits, StopCause
from gitorch.model import graph
from gitorch.model.generators import drain
from gitorch.model.task import ALIVE, State, Task

if TYPE_CHECKING:
    from gitorch.model.preflight import Preflight
    from gitorch.services.agents import ReadyAgents
    from gitorch.services.run import RunSummary


@click.command("run")
@click.option("-m", "--max-agents", type=click.IntRange(1, 200), help="Maximum number of agents at once.")
@click.option(
    "--at",
    "start_at",
    default="",
    callback=not_empty,
    metavar="23:00",
    help="Wait until this time before starting tasks.",
)
@click.option(
    "--until",
    default=None,
    metavar="07:00",
    help="Start no task after this time, nor one that very likely takes longer.",
)
@click.option("--budget", type=DOLLARS, metavar="DOLLARS", help="Stop after spending this much.")
@click.option(
    "--token-budget", type=click.IntRange(0), metavar="TOKENS", help="Stop after using this many tokens of any agent."
)
@click.option(
    "--max-unreviewed", type=click.IntRange(0), metavar="N", help="Start no task while N tasks wait for review."
)
@click.option(
    "--on-failure", type=click.Choice(["continue", "stop"]), default="continue", help="What to do after a failed task."
)
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run the agents with your rights: as sandbox.mode = off.")
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the order without starting anything.")
@pass_session
def run_command(session: Session, /, dry_run: bool, detach: bool, unsafe_no_sandbox: bool, **options: Any) -> None:
    """Run the queued tasks, each in its own worktree and on its own branch.

    Ctrl-C asks the agents to stop; a second one stops them immediately. Their work is kept, and the next run continues
    it.
    """
    if unsafe_no_sandbox:
        session.assignments.append('sandbox.mode = "off"')
    session.check_configuration()
    limits = _limits(session, options)
    if dry_run:
        _print_order(session)
        return
    ready = _preflight(session, limits)
    if detach:
        _detach(session)
    else:
        _run(session, limits, ready)


def _limits(session: Session, options: dict[str, Any]) -> RunLimits:
    return services.run.run_limits(
        session.workspace.config,
        max_agents=options["max_agents"],
        start_at=options["start_at"],
        until=options["until"],
        budget=options["budget"],
        token_budget=options["token_budget"],
        max_unreviewed=options["max_unreviewed"],
        stop_on_failure=options["on_failure"] == "stop",
    )


def _print_order(session: Session) -> None:
    workspace = session.workspace
    order = graph.merge_order([task for task in workspace.tasks.values() if task.state in ALIVE])
    starts = services.preflight.task_starts(workspace)
    agents = {task.id: services.agents.agent_name(workspace, task) for task in order}
    session.answer(
        views.queue.run_order(order, agents, starts),
        schema.run.RunOrderAnswer(
            order=schema.task.tasks_json(order), starts={name: start.commit for name, start in starts.items()}
        ),
    )
    session.say("next: orchestrate run" if order else 'next: orchestrate submit "..."')


class _Ready(NamedTuple):
    """What a preflight found: its result, and the agents that are ready (None: nothing was looked at)."""

    preflight: Preflight | None = None
    agents: ReadyAgents | None = None


def _preflight(session: Session, limits: RunLimits) -> _Ready:
    """Show what the run needs and will take, and return it.

    Raises what keeps the run from starting.
    """
    workspace = session.workspace
    has_tasks = any(task.state in ALIVE for task in workspace.tasks.values())
    is_done = _READY_VARIABLE in os.environ  # by the process that detached this run
    if is_done or not has_tasks or services.run_lock.is_running(workspace):
        return _Ready()
    agents = services.agents.ReadyAgents(services.agents.run_context(workspace))
    with views.running.progress.progress_bar(session.screen, lines=False) as show:
        result = services.preflight.examine(
            workspace, limits, agents, lambda step: show(0, 1, lambda: views.setup.trying(step))
        )
    if result.lines or result.error is None:
        session.say(views.running.preflight.preflight(result, limits))
    if result.error is not None:
        raise result.error
    return _Ready(result, agents)


_READY_VARIABLE = "GITORCH_READY_FD"
"""The variable that holds the file descriptor to which a detached run writes a byte when it has started."""


def _detach(session: Session) -> None:
    workspace = session.workspace
    workspace.folder.mkdir(parents=True, exist_ok=True)
    log = workspace.folder / "run.log"
    arguments = [word for word in sys.argv[1:] if word != "--detach"]
    child = start_detached([sys.executable, "-m", "gitorch", *arguments], log=log, ready_variable=_READY_VARIABLE)
    if child.exit_code:
        _exit_refused(session, child.output.decode("utf-8", "replace"), child.exit_code)
    session.answer(
        f"running in the background as process {child.pid}; log: {log}",
        schema.run.RunDetachedAnswer(pid=child.pid, log=str(log)),
    )
    session.say("next: orchestrate watch")


def _exit_refused(session: Session, output: str, code: int) -> None:
    """Print the output of a detached run that did not start, and exit with its exit code."""
    if session.json:
        sys.stdout.write(output.splitlines()[-1] + "\n")
    else:
        sys.stderr.write(output)
    sys.exit(code)


def _announced(changes: Generator[list[Task], None, RunSummary]) -> Generator[list[Task], None, RunSummary]:
    """Report to the process that detached this run, if any, that the run has started."""
    descriptor = os.environ.pop(_READY_VARIABLE, "")
    if descriptor:
        yield next(changes)
        os.write(int(descriptor), b".")
        os.close(int(descriptor))
    return (yield from changes)


def _run(session: Session, limits: RunLimits, ready: _Ready) -> None:
    workspace = session.workspace
    stop = threading.Event()
    protection = services.inside_credentials.of_run(workspace)
    for text in services.protection.warnings(protection):
        session.screen.warn(text)
    if limits.start_at:
        session.say(f"starts at {limits.start_at.astimezone():%H:%M on %A}")
    with _kept_awake(session), _graceful_signals(session, stop):
        summary = _show(session, _announced(services.run.run(workspace, limits, stop, ready.agents)))
    _print_summary(session, summary, ready.preflight)


@contextmanager
def _kept_awake(session: Session) -> Iterator[None]:
    argv = keep_awake.command() if session.workspace.config.run.keep_awake else ()
    with keep_awake.kept_awake(argv) as is_awake:
        if is_awake:
            session.say(f"the system is kept awake ({argv[0]})")
        yield


def _show(session: Session, changes: Generator[list[Task], None, RunSummary]) -> RunSummary:
    """Show a live board on a terminal, or print each change."""
    workspace = session.workspace
    if session.screen.out_is_live and not session.json and not session.quiet:
        reader = services.watch.live_reader(workspace)
        return views.running.live.follow(
            changes,
            lambda: workspace.tasks,
            lambda tasks: views.running.board.Details(
                *reader.read(tasks), services.past.past_runs.active_run(workspace.folder)
            ),
        )
    before: dict[str, Task] = {task.id: task for task in workspace.tasks.values()}

    def show(tasks: list[Task]) -> None:
        for task in tasks:
            print_change(session, task, before.get(task.id))
            before[task.id] = task

    return drain(changes, show)


@contextmanager
def _graceful_signals(session: Session, stop: threading.Event) -> Iterator[None]:
    """Ask the agents to stop at the first Ctrl-C, kill them at the second, and end this process at the third."""
    workspace = session.workspace
    signals = 0

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        stop.set()
        if signals > 2:
            views.running.live.give_back_terminal()
            os._exit(130)  # attempts are threads that wait for agents; the next run adopts those
        is_first = signals == 1
        session.say(
            "stopping the agents; their work is kept (Ctrl-C again stops them immediately)"
            if is_first
            else "stopping immediately"
        )
        # not in the handler itself: the code that it interrupts may hold the lock of the task store
        threading.Thread(
            target=services.stop.interrupt, args=(workspace,), kwargs={"now": not is_first}, daemon=True
        ).start()

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_summary(session: Session, summary: RunSummary, preflight: Preflight | None) -> None:
    tasks = session.workspace.tasks
    changed = [tasks[name] for name in summary.changed if name in tasks]
    if changed:
        write_page(session)
    # a run that could do nothing says what waits for a person
    shown = changed or [task for task in tasks.values() if task.question]
    if session.json:
        session.answer("", schema.run.RunAnswer.of(summary, changed, session.workspace.config.integration, preflight))
    else:
        stop_reason = summary.stopped.reason if summary.stopped else ""
        session.answer(
            views.running.run.run_summary(
                shown,
                stop_reason,
                summary.seconds,
                summary.usage.usd or 0.0,
                conflicts=summary.conflicts,
                candidate=summary.candidate,
                troubles=summary.troubles,
                moved=summary.foreign_changes,
            )
        )
    _exit_for(summary, shown)


def _exit_for(summary: RunSummary, changed: Sequence[Task]) -> None:
    if summary.interrupted:
        sys.exit(130)
    if summary.stopped and summary.stopped.cause is StopCause.LOGIN:
        sys.exit(SetupNeeded.exit)
    if summary.stopped and summary.stopped.cause is StopCause.LIMIT:
        sys.exit(LimitReached.exit)
    if summary.foreign_changes:
        sys.exit(Incomplete.exit)
    # a changed task that is queued again could not start; its reason says why
    if any(task.state in (State.FAILED, State.QUEUED, State.CONFLICTED) or task.passed is False for task in changed):
        sys.exit(Incomplete.exit)
    if any(task.question for task in changed):
        sys.exit(AnswerNeeded.exit)
