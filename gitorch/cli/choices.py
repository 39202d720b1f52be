"""Names that commands take, and what the shell completes: tasks by state, roles, agents, branches, settings."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from gitorch import data, services
from gitorch.cli.session import Name, Session, TaskName
from gitorch.model.task import ALIVE, DONE, State

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_HAS_LOG = frozenset(State) - {State.QUEUED}
_STOPPED = frozenset({State.FAILED, State.CANCELLED})


def not_empty(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Return what an option says; empty text, such as that of an unset variable, is not taken for its absence."""
    if not value and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"{param.opts[-1]} is empty", ctx)
    return value


class Dollars(click.FloatRange):
    """An amount of 0 or more; `nan`, which no amount reaches, is none."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the amount."""
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail(f"{value} is not an amount", param, ctx)
        return amount


DOLLARS = Dollars(min=0)


class TaskIn(TaskName):
    """A task; the shell completes those in these states, and every other is still accepted."""

    def __init__(self, states: Collection[State]) -> None:
        self.states = states

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the tasks in these states with their titles."""
        tasks = ctx.ensure_object(Session).workspace.tasks.values()
        return ((task.id, task.title) for task in tasks if task.state in self.states)


QUEUED_TASK = TaskIn({State.QUEUED})
LIVE_TASK = TaskIn(ALIVE)
STARTED_TASK = TaskIn(_HAS_LOG)
APPROVABLE_TASK = TaskIn({State.FINISHED, State.CONFLICTED})
JUDGED_TASK = TaskIn({State.FINISHED, State.APPROVED, State.CONFLICTED, *_STOPPED})
MERGEABLE_TASK = TaskIn({State.APPROVED, State.CONFLICTED})
DONE_TASK = TaskIn(DONE)
RESUMABLE_TASK = TaskIn({State.WAITING, *_STOPPED})
ATTACHABLE_TASK = TaskIn(_HAS_LOG - {State.RUNNING, State.MERGED})
RETRYABLE_TASK = TaskIn({State.FINISHED, State.REJECTED, State.CONFLICTED, *_STOPPED})
PREDECESSOR = TaskIn(ALIVE | DONE)


class PastTaskName(TaskName):
    """A task on the board, or one that has left it."""

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return all tasks with their titles."""
        yield from super().choices(ctx)
        for past in services.past.past_tasks.past_tasks(ctx.ensure_object(Session).workspace):
            yield past.task.id, past.task.title


PAST_TASK = PastTaskName()


class AgentName(Name):
    """An agent of the configuration."""

    name = "agent"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the agents with their kinds."""
        agents = ctx.ensure_object(Session).workspace.config.agents
        return ((name, agent.kind) for name, agent in agents.items())


class AgentNames(AgentName):
    """Agents, separated by commas; the last one is completed."""

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the agents with their kinds, each after those that are written already."""
        return ((f"{self.before}{name}", kind) for name, kind in super().choices(ctx))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the last name."""
        named = AgentNames()
        named.before = incomplete[: incomplete.rfind(",") + 1]
        return Name.shell_complete(named, ctx, param, incomplete)

    before = ""


class RemoteName(Name):
    """A remote of the repository."""

    name = "remote"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the remotes."""
        return ((name, "") for name in ctx.ensure_object(Session).workspace.repository.git("remote").text.splitlines())


class RoleName(Name):
    """A role of the repository."""

    name = "role"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the roles with their purposes."""
        return ((role.name, role.purpose) for role in ctx.ensure_object(Session).workspace.roles.values())


class BranchName(Name):
    """A branch or a tag, local or of a remote."""

    name = "branch"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the short names of branches and tags."""
        repository = ctx.ensure_object(Session).workspace.repository
        refs = repository.git("for-each-ref", "--format=%(refname:short)", *self.folders).text
        return ((name, "") for name in refs.splitlines())

    folders: tuple[str, ...] = ("refs/heads/", "refs/remotes/", "refs/tags/")


class LocalBranchName(BranchName):
    """A local branch."""

    folders = ("refs/heads/",)


class SettingName(Name):
    """The dotted name of a setting."""

    name = "setting"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return all settings with their values."""
        config = ctx.ensure_object(Session).workspace.config
        return ((name, str(value)) for name, value in services.settings.flat(config).items())


class TopicName(Name):
    """A topic of `help`, or a command."""

    name = "topic"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the topics with their titles, and the commands."""
        for name, text in data.topics().items():
            yield name, text.partition("\n")[0].removeprefix("# ")
        root = ctx.find_root()
        sections: Mapping[str, Mapping[str, tuple[str, str]]] = getattr(root.command, "sections", {})
        for section in sections.values():
            yield from ((name, summary) for name, (_, summary) in section.items())


AGENT = AgentName()
AGENTS = AgentNames()
REMOTE = RemoteName()
ROLE = RoleName()
REF = BranchName()
LOCAL_BRANCH = LocalBranchName()
SETTING = SettingName()
TOPIC = TopicName()
