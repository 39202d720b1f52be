"""Show what agents are doing, from any process."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from gitorch.agents import AGENTS
from gitorch.agents.command import CommandAgent
from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings
from gitorch.executors.base import STREAMS, ExecutionId, Executor, ResourceUsage, Running, Submitted, missing_bytes
from gitorch.flow.attempt import attempt_key
from gitorch.model.forecast import ForecastSummary
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Event, Exit
from gitorch.model.redact import redacted
from gitorch.model.task import ALIVE, Attempt, PastAttempt, State, Task
from gitorch.services import forecast_record
from gitorch.services.attempt_steps import AttemptStep, listed_steps
from gitorch.services.executor import executor_of
from gitorch.services.workspace import Workspace

_TAIL_BYTES = 65_536
_STEP_NUMBER = re.compile(r"^([a-z]+)-(?:\d+-)?")  # `check-1-lint`
_ACTIVITY_WIDTH = 1000
"""Characters of an event that are enough for a line of the board."""

_NEXT_STEP_SECONDS = 0.5
_RECENT = timedelta(hours=24)

Steps: TypeAlias = tuple[AttemptStep, ...]


def executions(workspace: Workspace, task: Task, number: int | None = None) -> list[Submitted]:
    """Return an attempt's executions (prepare, agent and checks) in the order of their submission."""
    return executor_of(workspace).executions(attempt_key(task, number))


def ran_since(workspace: Workspace, execution: Submitted, since: datetime) -> bool:
    """Return whether an execution was still at work at a time, or has begun after it."""
    status = executor_of(workspace).poll(execution.id)
    return not isinstance(status, Exit) or status.started + status.seconds >= since.timestamp()


def running(workspace: Workspace) -> list[tuple[Task, Submitted, Running]]:
    """Return the running tasks with their live executions, as the executor reports them."""
    return _running(executor_of(workspace), workspace.tasks)


def _running(executor: Executor, tasks: Mapping[TaskId, Task]) -> list[tuple[Task, Submitted, Running]]:
    running_tasks = [task for task in tasks.values() if task.state is State.RUNNING]
    latest = [(task, execution) for task in running_tasks for execution in executor.executions(attempt_key(task))[-1:]]
    polled = [(task, execution, executor.poll(execution.id)) for task, execution in latest]
    return [(task, execution, status) for task, execution, status in polled if isinstance(status, Running)]


def transcript(workspace: Workspace, task: Task, execution: Submitted) -> Iterator[Event]:
    """Yield the events of an execution's output."""
    agent = _reader(workspace, task, execution)
    with executor_of(workspace).open_output(execution.id, "stdout") as lines:
        for line in lines:
            yield from _events(agent, line)


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
    agent = _reader(workspace, task, execution)
    for event in executor_of(workspace).events(execution.id):
        if isinstance(event, bytes):
            yield from _events(agent, event)


def _events(agent: Agent, line: bytes) -> Iterator[Event]:
    """Yield the events of one line of output, which may stand for output that was not kept."""
    if missing_bytes(line):
        yield Event(kind="text", text=line.decode().strip())
        return
    yield from map(_redacted, agent.events(line))


def _redacted(event: Event) -> Event:
    text = redacted(event.text)
    return event if text == event.text else msgspec.structs.replace(event, text=text)


def _reader(workspace: Workspace, task: Task, execution: Submitted) -> Agent:
    """Return the agent that reads an execution's output: that of the attempt, or plain text for another step."""
    name = task.attempt.agent if task.attempt else task.spec.agent
    settings = workspace.config.agents.get(name)
    is_agent = execution.step.startswith("agent-") and settings is not None
    return AGENTS[settings.kind] if is_agent and settings else CommandAgent()


def raw_outputs(workspace: Workspace, execution: Submitted) -> Iterator[BinaryIO]:
    """Yield an execution's standard output and standard error, open for reading."""
    executor = executor_of(workspace)
    for stream in STREAMS:
        with executor.open_output(execution.id, stream) as output:
            yield output


def usage(workspace: Workspace, execution: Submitted) -> ResourceUsage:
    """Return what the processes of a live execution use."""
    return executor_of(workspace).usage(execution.id)


class LiveReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what a run does now, for a snapshot of its tasks. It has no task store, so any thread may use it.

    `ended` keeps the steps of attempts that have ended, which do not change.
    """

    executor: Executor
    agents: Mapping[str, AgentSettings]
    folder: Path
    ended: dict[tuple[TaskId, int], Steps] = {}

    def read(self, tasks: Mapping[TaskId, Task]) -> tuple[dict[TaskId, str], ForecastSummary, dict[TaskId, Steps]]:
        """Return the last event of each running agent, the saved forecast and candidate, and the steps of attempts."""
        return self.activity(tasks), forecast_record.read_forecast(self.folder, tasks), self.steps(tasks)

    def activity(self, tasks: Mapping[TaskId, Task]) -> dict[TaskId, str]:
        """Return the last event of each running task's agent, in one line."""
        return {task.id: self._last_event(task, execution) for task, execution, _ in _running(self.executor, tasks)}

    def steps(self, tasks: Mapping[TaskId, Task]) -> dict[TaskId, Steps]:
        """Return the steps of each task's attempts that go on, or ended in the last 24 hours."""
        since = datetime.now(UTC) - _RECENT
        recent = {task.id: [*_recent_attempts(task, since)] for task in tasks.values()}
        return {
            name: tuple(step for attempt in attempts for step in self._attempt_steps(tasks[name], attempt))
            for name, attempts in recent.items()
            if attempts
        }

    def _attempt_steps(self, task: Task, attempt: Attempt | PastAttempt) -> Steps:
        if (known := self.ended.get((task.id, attempt.number))) is not None:
            return known
        steps = listed_steps(self.executor.executions(attempt_key(task, attempt.number)), attempt.number)
        if attempt.seconds is not None:
            self.ended[task.id, attempt.number] = steps
        return steps

    def _last_event(self, task: Task, execution: Submitted) -> str:
        if not execution.step.startswith("agent-"):
            return _STEP_NUMBER.sub(r"\1 ", execution.step)
        last = ""
        for event in self._tail_events(task, execution):
            last = f"{event.tool} {event.text}".strip() or last
        return last.splitlines()[0][:_ACTIVITY_WIDTH] if last else ""

    def _tail_events(self, task: Task, execution: Submitted) -> Iterator[Event]:
        """Yield the events of a transcript's last part, however long it is."""
        settings = self.agents.get(task.spec.agent)
        if settings is None:
            return
        with self.executor.open_output(execution.id, "stdout", tail=_TAIL_BYTES) as lines:
            for line in lines.read().splitlines():
                yield from _events(AGENTS[settings.kind], line)


def _recent_attempts(task: Task, since: datetime) -> Iterator[Attempt | PastAttempt]:
    attempts: list[Attempt | PastAttempt] = [*task.past, *([task.attempt] if task.attempt else [])]
    for attempt in attempts:
        length = timedelta(seconds=attempt.seconds or 0.0)
        if attempt.started and (attempt.seconds is None or attempt.started + length >= since):
            yield attempt


def live_reader(workspace: Workspace) -> LiveReader:
    """Return what reads the activity and the forecast of this workspace's run."""
    return LiveReader(executor=executor_of(workspace), agents=workspace.config.agents, folder=workspace.folder)
