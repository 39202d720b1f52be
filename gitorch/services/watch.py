"""Show what agents are doing, from any process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import msgspec

from gitorch.agents import AGENTS
from gitorch.config import AgentSettings
from gitorch.executors.protocol import Executor, ResourceUsage, Running, Submitted
from gitorch.flow.attempt import attempt_key, line_events
from gitorch.model.forecasts.conflict_forecast import ForecastSummary
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Event
from gitorch.model.task import Attempt, PastAttempt, State, Task
from gitorch.services.executor import executor_of
from gitorch.services.merging import forecast_record
from gitorch.services.past.attempt_steps import AttemptStep, listed_steps
from gitorch.services.workspace import Workspace

_TAIL_BYTES = 65_536
_STEP_NUMBER = re.compile(r"^([a-z]+)-(?:\d+-)?")  # `check-1-lint`
_ACTIVITY_WIDTH = 1000
"""Characters of an event that are enough for a line of the board."""

_RECENT = timedelta(hours=24)

Steps: TypeAlias = tuple[AttemptStep, ...]


def running(workspace: Workspace) -> list[tuple[Task, Submitted, Running]]:
    """Return the running tasks with their live executions, as the executor reports them."""
    return _running(executor_of(workspace), workspace.tasks)


def _running(executor: Executor, tasks: Mapping[TaskId, Task]) -> list[tuple[Task, Submitted, Running]]:
    running_tasks = [task for task in tasks.values() if task.state is State.RUNNING]
    latest = [(task, execution) for task in running_tasks for execution in executor.executions(attempt_key(task))[-1:]]
    polled = [(task, execution, executor.poll(execution.id)) for task, execution in latest]
    return [(task, execution, status) for task, execution, status in polled if isinstance(status, Running)]


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
                yield from line_events(AGENTS[settings.kind], line)


def _recent_attempts(task: Task, since: datetime) -> Iterator[Attempt | PastAttempt]:
    attempts: list[Attempt | PastAttempt] = [*task.past, *([task.attempt] if task.attempt else [])]
    for attempt in attempts:
        length = timedelta(seconds=attempt.seconds or 0.0)
        if attempt.started and (attempt.seconds is None or attempt.started + length >= since):
            yield attempt


def live_reader(workspace: Workspace) -> LiveReader:
    """Return what reads the activity and the forecast of this workspace's run."""
    return LiveReader(executor=executor_of(workspace), agents=workspace.config.agents, folder=workspace.folder)
