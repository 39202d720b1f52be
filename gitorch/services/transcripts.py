"""Read the transcripts of attempts: what agents, checks and preparations printed, as events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from gitorch.agents import AGENTS
from gitorch.agents.command import CommandAgent
from gitorch.agents.protocol import Agent
from gitorch.executors.protocol import STREAMS, ExecutionId, Submitted
from gitorch.executors.timed_lines import follow_timed_lines
from gitorch.flow.attempt import attempt_key, error_output, execution_events, followed_events, read_events, timed_events
from gitorch.model.outcome import Event, Exit
from gitorch.model.task import ALIVE, Attempt, PastAttempt, Task
from gitorch.services.executor import executor_of
from gitorch.services.workspace import Workspace

_NEXT_STEP_SECONDS = 0.5


def executions(workspace: Workspace, task: Task, number: int | None = None) -> list[Submitted]:
    """Return an attempt's executions (prepare, agent and checks) in the order of their submission."""
    return executor_of(workspace).executions(attempt_key(task, number))


def ran_since(workspace: Workspace, execution: Submitted, since: datetime) -> bool:
    """Return whether an execution was still at work at a time, or has begun after it."""
    status = executor_of(workspace).poll(execution.id)
    return not isinstance(status, Exit) or status.started + status.seconds >= since.timestamp()


def read_transcript(workspace: Workspace, task: Task, execution: Submitted) -> Iterator[Event]:
    """Yield the events of an execution: as they were stored when it ended, or else from its output."""
    stored = read_events(workspace.folder / execution.key.rpartition("/")[0], execution.step)
    if stored:
        yield from stored
        return
    yield from execution_events(executor_of(workspace), execution.id, _reader(workspace, task, execution))


def follow(workspace: Workspace, task: Task) -> Iterator[tuple[Submitted, Event]]:
    """Yield the events of a task's last attempt as they come, until it no longer runs."""
    finished: set[ExecutionId] = set()
    pause = threading.Event()
    while True:
        current = workspace.tasks[task.id]
        for execution in executions(workspace, current):
            if execution.id not in finished:
                finished.add(execution.id)
                for event in _follow(workspace, current, execution):
                    yield execution, event
        if current.state not in ALIVE:
            return
        pause.wait(_NEXT_STEP_SECONDS)


def _follow(workspace: Workspace, task: Task, execution: Submitted) -> Iterator[Event]:
    executor, agent = executor_of(workspace), _reader(workspace, task, execution)
    if isinstance(agent, CommandAgent):  # it may write to both streams in turn
        yield from followed_events(executor, execution.id, agent)
        return
    yield from timed_events(agent, follow_timed_lines(executor, execution.id))
    yield from error_output(executor, execution.id, agent)


def _reader(workspace: Workspace, task: Task, execution: Submitted) -> Agent:
    """Return the agent that reads an execution's output: that of the attempt, or plain text for another step."""
    attempts: list[Attempt | PastAttempt] = [*task.past, *([task.attempt] if task.attempt else [])]
    agents = {attempt_key(task, attempt.number): attempt.agent for attempt in attempts}
    name = agents.get(execution.key.rpartition("/")[0], task.spec.agent)
    settings = workspace.config.agents.get(name)
    is_agent = execution.step.startswith("agent-") and settings is not None
    return AGENTS[settings.kind] if is_agent and settings else CommandAgent()


def raw_outputs(workspace: Workspace, execution: Submitted) -> Iterator[BinaryIO]:
    """Yield an execution's standard output and standard error, open for reading."""
    executor = executor_of(workspace)
    for stream in STREAMS:
        with executor.open_output(execution.id, stream) as output:
            yield output
