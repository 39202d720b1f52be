"""Stop running tasks, from any process."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.errors import GitorchError
from gitorch.flow import attempt
from gitorch.model.task import State, Task, after_questions, change
from gitorch.rooms.context import RunContext
from gitorch.services.agents import run_context
from gitorch.services.changes import change_tasks
from gitorch.services.configured_checks import checks_for
from gitorch.services.run_lock import git_lock, is_running, run_lock
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe


def kill(workspace: Workspace, tasks: Sequence[Task], reason: str, *, now: bool = False) -> list[Task]:
    """Stop tasks. Their committed and uncommitted work is kept on their branches.

    If no run is active, this process finishes the attempts.
    """
    context = run_context(workspace)
    idle = [task for task in tasks if task.state is not State.RUNNING]
    if idle:
        cancelled = [(task, _cancelled(task, reason)) for task in idle]
        change_tasks(workspace, "kill", cancelled, describe("kill", idle))
    for task in tasks:
        if task.state is State.RUNNING:
            attempt.request_stop(context, task, reason, now=now)
    if not is_running(workspace):
        with run_lock(workspace), git_lock(workspace):
            for task in tasks:
                if workspace.tasks[task.id].state is State.RUNNING:
                    _finish(workspace, context, workspace.tasks[task.id])
    return [workspace.tasks[task.id] for task in tasks]


def _cancelled(task: Task, reason: str) -> Task:
    """Return a task that waits as cancelled; one whose agent was to be asked something is finished work."""
    if task.before_questions is not None and task.state is State.QUEUED:
        return after_questions(task, f"your questions were not asked: {reason}")
    return change(task, state=State.CANCELLED, reason=reason)


def interrupt(workspace: Workspace, *, now: bool = False) -> None:
    """Ask every running attempt to stop, so that the next run can continue it."""
    context = run_context(workspace)
    for task in list(workspace.tasks.values()):
        if task.state is State.RUNNING:
            attempt.request_stop(context, task, attempt.INTERRUPTED, now=now)


def _finish(workspace: Workspace, context: RunContext, task: Task) -> None:
    """Finish the attempt of a killed task."""
    try:
        for changed in attempt.run(context, task, checks_for(workspace, task)):
            workspace.store.save([changed])
    except GitorchError as error:
        workspace.store.save([attempt.fail(context, workspace.tasks[task.id], error)])
