"""Choose the agent of a task, and check that it is ready."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gitorch import services
from gitorch.agents import AGENTS
from gitorch.errors import SetupNeeded
from gitorch.executors.probe import probe as probe_command
from gitorch.git.notes.note_store import NoteWriter
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment_variables import agent_environment
from gitorch.services.configured_checks import require_trust
from gitorch.services.executor import executor_of
from gitorch.services.lookup import unknown_name
from gitorch.services.roles import agent_of_role
from gitorch.services.sandbox import rooms_of
from gitorch.services.workspace import Workspace

_AUTO = "auto"
_PREFERRED = ("claude", "codex", "api")
"""The agents that "auto" tries, in this order."""


def run_context(workspace: Workspace, before_checks: Callable[[], None] = lambda: None) -> RunContext:
    """Return the context in which attempts and checks run; `before_checks` is called before commands run on a tree.

    These are refused while the user does not trust the commands of the repository's own files.
    """

    def require_trusted_commands() -> None:
        require_trust(workspace)
        before_checks()

    environment = dict(workspace.environment)
    return RunContext(
        repository=workspace.repository,
        config=workspace.config,
        executor=executor_of(workspace),
        rooms=rooms_of(workspace, environment),
        agents=AGENTS,
        roles=workspace.roles,
        folder=workspace.folder,
        environment=environment,
        notes=NoteWriter(workspace.repository),
        worker_checks=services.remote.worker_checks(workspace),
        before_checks=require_trusted_commands,
    )


def probe(context: RunContext, name: str) -> str:
    """Return an agent's version. Raises `SetupNeeded` if it is not ready."""
    agents = context.config.agents
    if name not in agents:
        raise unknown_name("agent", name, list(agents))
    settings = agents[name]
    agent = context.agents[settings.kind]
    env = agent_environment(settings, agent, context.environment)
    return agent.check_ready(settings, env, [probe_command(argv, env) for argv in agent.probes(settings)])


def agent_name(workspace: Workspace, task: Task) -> str:
    """Return the agent of a task: its own, its role's, or the configured one, which can be "auto"."""
    return task.spec.agent or agent_of_role(workspace.roles, task.spec.role) or workspace.config.agent


def agents_needed(workspace: Workspace) -> dict[str, list[TaskId]]:
    """Return the agents that the tasks of a run need ("auto" if none is named), with those tasks."""
    needed: dict[str, list[TaskId]] = {}
    for task in workspace.tasks.values():
        if task.is_pending:
            needed.setdefault(agent_name(workspace, task), []).append(task.id)
    return needed


class ReadyAgents:
    """The ready agents of one run, each probed once."""

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self._ready: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._choices: dict[str, bool] = {}

    def require(self, name: str) -> str:
        """Return the agent that a name stands for in this run. Raises `SetupNeeded` if it is not ready."""
        if name not in self._ready:
            if name != _AUTO:
                self._versions[name] = probe(self.context, name)
            self._ready[name] = self._first_ready() if name == _AUTO else name
        return self._ready[name]

    def get(self, name: str, default: str) -> str:
        """Return the agent that a name stands for, or `default` if it has not been required yet."""
        return self._ready.get(name, default)

    def version(self, name: str) -> str:
        """Return the version of an agent that is ready, as far as it says one."""
        return self._versions.get(name, "")

    def is_ready(self, name: str) -> bool:
        """Return whether an agent is installed and logged in now."""
        try:
            probe(self.context, name)
        except SetupNeeded:
            return False
        return True

    def other(self, limited: str, unusable: Collection[str]) -> str:
        """Return the first agent that can take over from a limited one; "" if there is none. Each is probed once.

        It is ready, none of these, and has the same permissions: work of an agent that may only read must not come to
        one that writes. Agents of the kind `command` are no choice: they do one thing only.
        """
        configured = self.context.config.agents
        permissions = configured[limited].permissions if limited in configured else "worktree"
        names = [*_PREFERRED, *(name for name in configured if name not in _PREFERRED)]
        for name in names:
            if name in unusable or name not in configured or configured[name].kind == "command":
                continue
            if configured[name].permissions != permissions:
                continue
            if name not in self._choices:
                self._choices[name] = self.is_ready(name)
            if self._choices[name]:
                return name
        return ""

    def _first_ready(self) -> str:
        problems: list[str] = []
        for name in _PREFERRED:
            try:
                self._versions[name] = probe(self.context, name)
            except SetupNeeded as problem:
                problems.append(f"{name}: {problem.what}")
            else:
                return name
        raise SetupNeeded(
            "no-agent",
            "no agent is ready: none is installed and logged in",
            why="; ".join(problems),
            fix=("npm install -g @anthropic-ai/claude-code   then log in with: claude", "orchestrate demo"),
        )
