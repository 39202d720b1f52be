"""Show what agents are doing, from any process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gitorch.agents import AGENTS
from gitorch.agents.command import Command
from gitorch.executors.local import LocalExecutor, Running
from gitorch.flow.attempt import attempt_folder
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Event
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace

_TAIL_BYTES = 65_536


def executions(workspace: Workspace, task: Task, number: int | None = None) -> list[Path]:
    """Return the folders of an attempt's executions, oldest first: prepare, agent and checks."""
    folder = attempt_folder(workspace.folder, task, number)
    folders = [spec.parent for spec in folder.glob("*/spec.json")]
    return sorted(folders, key=lambda path: (path / "spec.json").stat().st_mtime_ns)


def running(workspace: Workspace) -> list[tuple[Task, Path, Running]]:
    """Return the running tasks with their live executions, as the operating system reports them."""
    executor = LocalExecutor()
    tasks = [task for task in workspace.tasks.values() if task.state is State.RUNNING]
    handles = [(task, handle) for task in tasks for handle in executions(workspace, task)[-1:]]
    polled = [(task, handle, executor.poll(handle)) for task, handle in handles]
    return [(task, handle, status) for task, handle, status in polled if isinstance(status, Running)]


def transcript(workspace: Workspace, task: Task, execution: Path) -> Iterator[Event]:
    """Yield the events of an execution's output."""
    name = task.attempt.agent if task.attempt else task.spec.agent
    settings = workspace.config.agents.get(name)
    is_agent = execution.name.startswith("agent-") and settings is not None
    agent = AGENTS[settings.kind] if is_agent and settings else Command()
    path = execution / "stdout"
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield from agent.events(line)


def activity(workspace: Workspace) -> dict[TaskId, str]:
    """Return the last event of each running task's agent, in one line."""
    return {task.id: _last_event(workspace, task, handle) for task, handle, _ in running(workspace)}


def _last_event(workspace: Workspace, task: Task, execution: Path) -> str:
    if not execution.name.startswith("agent-"):
        return execution.name.replace("-", " ", 1)
    last = ""
    for event in _tail_events(workspace, task, execution):
        last = f"{event.tool} {event.text}".strip() or last
    return last.splitlines()[0] if last else ""


def _tail_events(workspace: Workspace, task: Task, execution: Path) -> Iterator[Event]:
    """Yield the events of a transcript's last part, however long it is."""
    settings = workspace.config.agents.get(task.spec.agent)
    path = execution / "stdout"
    if settings is None or not path.exists():
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        for line in file.read().splitlines():
            yield from AGENTS[settings.kind].events(line)
