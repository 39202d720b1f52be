"""See what goes on, from any process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.executors.local import Running
    from gitorch.model.outcome import Event


class Watching(Workspace):
    """Who is at work, and what was said and done."""

    def executions(self, task: Task, number: int | None = None) -> list[Path]:
        """Return the folders of what an attempt executed, oldest first: prepare, agent and check executions."""
        from gitorch.flow.attempt import attempt_folder

        folder = attempt_folder(self.folder, task, number)
        found = [spec.parent for spec in folder.glob("*/spec.json")]
        return sorted(found, key=lambda path: (path / "spec.json").stat().st_mtime_ns)

    def running(self) -> list[tuple[Task, Path, Running]]:
        """Return who is at work: each running task with its live execution, asked of the system itself."""
        from gitorch.executors.local import LocalExecutor, Running

        executor = LocalExecutor()
        live = [task for task in self.tasks.values() if task.state is State.RUNNING]
        handles = [(task, handle) for task in live for handle in self.executions(task)[-1:]]
        polled = [(task, handle, executor.poll(handle)) for task, handle in handles]
        return [(task, handle, status) for task, handle, status in polled if isinstance(status, Running)]

    def transcript(self, task: Task, execution: Path) -> Iterator[Event]:
        """Read what an execution said, as events."""
        from gitorch.agents import AGENTS
        from gitorch.agents.command import Command

        name = task.attempt.agent if task.attempt else task.spec.agent
        settings = self.config.agents.get(name)
        is_agent = execution.name.startswith("agent-") and settings is not None
        agent = AGENTS[settings.kind] if is_agent and settings else Command()
        path = execution / "stdout"
        if path.exists():
            with path.open("rb") as lines:
                for line in lines:
                    yield from agent.events(line)

    def activity(self) -> dict[TaskId, str]:
        """Return the last thing that each running task's agent said or did."""
        return {task.id: self._last_words(task, handle) for task, handle, _ in self.running()}

    def _last_words(self, task: Task, execution: Path) -> str:
        if not execution.name.startswith("agent-"):
            return execution.name.replace("-", " ", 1)
        last = ""
        for event in _tail_events(self, task, execution):
            last = f"{event.tool} {event.text}".strip() or last
        return last.splitlines()[0] if last else ""


def _tail_events(workspace: Workspace, task: Task, execution: Path) -> Iterator[Event]:
    """Read the events of a transcript's last part: enough for what is going on, however long it is."""
    from gitorch.agents import AGENTS

    settings = workspace.config.agents.get(task.spec.agent)
    path = execution / "stdout"
    if settings is None or not path.exists():
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_536))
        for line in file.read().splitlines():
            yield from AGENTS[settings.kind].events(line)
