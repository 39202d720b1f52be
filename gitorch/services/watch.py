"""Show what agents are doing, from any process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from gitorch.agents import AGENTS
from gitorch.agents.command import Command
from gitorch.executors.base import STREAMS, ResourceUsage, Running, Submitted
from gitorch.flow.attempt import attempt_key
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Event
from gitorch.model.task import State, Task
from gitorch.services.executor import executor_of
from gitorch.services.workspace import Workspace

_TAIL_BYTES = 65_536


def executions(workspace: Workspace, task: Task, number: int | None = None) -> list[Submitted]:
    """Return an attempt's executions (prepare, agent and checks) in the order of their submission."""
    return executor_of(workspace).executions(attempt_key(task, number))


def running(workspace: Workspace) -> list[tuple[Task, Submitted, Running]]:
    """Return the running tasks with their live executions, as the executor reports them."""
    executor = executor_of(workspace)
    tasks = [task for task in workspace.tasks.values() if task.state is State.RUNNING]
    latest = [(task, execution) for task in tasks for execution in executions(workspace, task)[-1:]]
    polled = [(task, execution, executor.poll(execution.id)) for task, execution in latest]
    return [(task, execution, status) for task, execution, status in polled if isinstance(status, Running)]


def transcript(workspace: Workspace, task: Task, execution: Submitted) -> Iterator[Event]:
    """Yield the events of an execution's output."""
    name = task.attempt.agent if task.attempt else task.spec.agent
    settings = workspace.config.agents.get(name)
    is_agent = execution.step.startswith("agent-") and settings is not None
    agent = AGENTS[settings.kind] if is_agent and settings else Command()
    with executor_of(workspace).open_output(execution.id, "stdout") as lines:
        for line in lines:
            yield from agent.events(line)


def raw_outputs(workspace: Workspace, execution: Submitted) -> Iterator[BinaryIO]:
    """Yield an execution's standard output and standard error, open for reading."""
    executor = executor_of(workspace)
    for stream in STREAMS:
        with executor.open_output(execution.id, stream) as output:
            yield output


def usage(workspace: Workspace, execution: Submitted) -> ResourceUsage:
    """Return what the processes of a live execution use."""
    return executor_of(workspace).usage(execution.id)


def activity(workspace: Workspace) -> dict[TaskId, str]:
    """Return the last event of each running task's agent, in one line."""
    return {task.id: _last_event(workspace, task, execution) for task, execution, _ in running(workspace)}


def _last_event(workspace: Workspace, task: Task, execution: Submitted) -> str:
    if not execution.step.startswith("agent-"):
        return execution.step.replace("-", " ", 1)
    last = ""
    for event in _tail_events(workspace, task, execution):
        last = f"{event.tool} {event.text}".strip() or last
    return last.splitlines()[0] if last else ""


def _tail_events(workspace: Workspace, task: Task, execution: Submitted) -> Iterator[Event]:
    """Yield the events of a transcript's last part, however long it is."""
    settings = workspace.config.agents.get(task.spec.agent)
    if settings is None:
        return
    with executor_of(workspace).open_output(execution.id, "stdout", tail=_TAIL_BYTES) as lines:
        for line in lines.read().splitlines():
            yield from AGENTS[settings.kind].events(line)
