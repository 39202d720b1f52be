"""Which agent a task is for, and whether that one can work."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gitorch.errors import SetupNeeded
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.rooms.environment import Means


class Choosing(Workspace):
    """The agents that the tasks of a run need."""

    def agents_needed(self) -> dict[str, list[TaskId]]:
        """Return the agents that live tasks are for, with those tasks; "auto" where none is named."""
        needed: dict[str, list[TaskId]] = {}
        for task in self.tasks.values():
            if task.state in (State.QUEUED, State.WAITING, State.RUNNING):
                needed.setdefault(self._named(task), []).append(task.id)
        return needed

    def _preflight(self, means: Means) -> None:
        """See that every agent that is needed can work."""
        self._able.clear()
        for name in self.agents_needed():
            self._agent(means, name)

    def _agent(self, means: Means, name: str) -> str:
        """Return the agent that a name stands for in this run, once it is known that it can work."""
        if name not in self._able:
            if name != "auto":
                self.probe(means, name)
            self._able[name] = self._first_able(means) if name == "auto" else name
        return self._able[name]

    @cached_property
    def _able(self) -> dict[str, str]:
        """The agents that can work, by the name that tasks use for them."""
        return {}

    def _named(self, task: Task) -> str:
        """Return the agent that a task is for: its own, its role's, or the configured one; "auto" is for any."""
        return task.spec.agent or self.roles_agent(task.spec.role) or self.config.agent

    def _first_able(self, means: Means) -> str:
        problems: list[str] = []
        for name in ("claude", "codex", "api"):
            try:
                self.probe(means, name)
            except SetupNeeded as problem:
                problems.append(f"{name}: {problem.what}")
            else:
                return name
        raise SetupNeeded(
            "no-agent",
            "no agent can work: none is installed and logged in",
            why="; ".join(problems),
            fix=("npm install -g @anthropic-ai/claude-code   then log in with: claude", "orchestrate demo"),
        )
