"""An attempt's executions: the agent or a check under supervision, and how all of it is asked to stop."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch.agents.protocol import Request
from gitorch.config import seconds
from gitorch.executors.base import STDIN_FILE, NotStarted, Spec, tail_text
from gitorch.flow.attempt.environment import Place, attempt_folder, attempt_key
from gitorch.model.outcome import Ending, Exit, Outcome
from gitorch.model.task import Task, current_attempt
from gitorch.rooms.environment import Failed, Means

INTERRUPTED = "interrupted"


def execute_agent(means: Means, task: Task, place: Place, number: int) -> Outcome:
    """Run (or find again) one execution of the agent, and read how it ended."""
    attempt = current_attempt(task)
    key = f"{place.key}/agent-{number}"
    request = Request(
        task=task.id,
        worktree=place.worktree.path,
        common_dir=means.repository.common_dir,
        brief=_read_brief(place.folder, number),
        brief_file=STDIN_FILE,
        session=attempt.session,
        resume=number > 1 or attempt.resumed,
        budget=task.spec.budget,
    )
    launch = place.agent.launch(place.settings, request)
    ended = execute(
        means,
        place,
        Spec(
            key=key,
            argv=launch.argv,
            cwd=place.worktree.path,
            env={**place.env, **launch.env},
            stdin=launch.stdin,
            timeout=task.spec.timeout or seconds(means.config.run.task_timeout),
            idle=seconds(means.config.run.idle_timeout),
        ),
    )
    if ended.cause == "failed-to-start":
        return Outcome(ending=Ending.FAILED, reason=f"could not start: {ended.message}")
    execution = means.executor.id_of(key)
    with means.executor.open_output(execution, "stdout") as lines:
        outcome = place.agent.outcome(lines, tail_text(means.executor, execution, "stderr"), ended)
    return _with_clock(outcome, ended)


def _with_clock(outcome: Outcome, ended: Exit) -> Outcome:
    """Name the clock that ended an execution, in the place of whatever the agent said of it."""
    reasons = {"timeout": "timed out", "idle": "stuck: no output and no processor time", "stopped": ended.message}
    if ended.cause in reasons and outcome.ending is not Ending.COMPLETED:
        return msgspec.structs.replace(outcome, ending=Ending.STOPPED, reason=reasons[ended.cause])
    return outcome


def execute(means: Means, place: Place, spec: Spec) -> Exit:
    """Run a program under supervision, unless the attempt was asked to stop before."""
    stop = stop_reason(place.folder)
    if stop and isinstance(means.executor.poll(means.executor.id_of(spec.key)), NotStarted):
        return Exit(cause="stopped", message=stop)
    execution = means.executor.submit(spec)
    if stop := stop_reason(place.folder):
        means.executor.cancel(execution, stop)
    status = means.executor.wait(execution)
    return status if isinstance(status, Exit) else Exit(cause="lost", message="its supervisor did not start")


def _read_brief(folder: Path, number: int) -> bytes:
    path = brief_file(folder, number)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Failed(f"its brief {path} is gone") from error


def brief_file(folder: Path, number: int) -> Path:
    """Return where an attempt keeps the brief of one round."""
    return folder / f"brief-{number}.md"


def stop_reason(folder: Path) -> str:
    """Return why this attempt was asked to stop; empty when it was not."""
    try:
        return (folder / "stop").read_text("utf-8")
    except FileNotFoundError:
        return ""


def ask_to_stop(means: Means, task: Task, reason: str, *, now: bool = False) -> None:
    """Ask a running attempt to end, from any process: nothing new of it starts, what runs is stopped."""
    folder = attempt_folder(means.folder, task)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stop").write_text(reason, "utf-8")
    for execution in means.executor.adopt(attempt_key(task)):
        means.executor.cancel(execution, reason, now=now)
