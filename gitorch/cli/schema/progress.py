"""The answers of the commands that follow and stop work: `task`, `log`, `agents`, `kill`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, Timestamp, known_time, timestamp
from gitorch.cli.schema.forecast import ConflictJson, conflicts_json
from gitorch.cli.schema.resolution import ResolutionJson, resolution_json
from gitorch.cli.schema.task import MovedJson, TaskDetailsJson, TaskJson, moved_json
from gitorch.model.forecasts.conflict_forecast import Conflict
from gitorch.model.outcome import Event
from gitorch.model.resolution import Resolution
from gitorch.model.task import Task
from gitorch.storage.foreign_changes import ForeignChange


class TaskDiskJson(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a task takes on the disk; null: there are too many files to look at."""

    worktree: int | None
    room: int | None
    """Private repositories, the HOME of its sandbox, and temporary files."""


class TaskAnswer(JsonAnswer, tag="gitorch/task/1", frozen=True, kw_only=True):
    """One task, and the conflicts predicted for it."""

    task: TaskDetailsJson
    conflicts: list[ConflictJson]
    moved: list[MovedJson]
    """What changed while it ran and not by gitorch, until it is acknowledged."""
    resolution: ResolutionJson | Absent = msgspec.UNSET
    """How its conflict with other tasks would be resolved; absent when it has none."""
    disk: TaskDiskJson | Absent = msgspec.UNSET
    """What it takes on the disk; absent for a task that `cleanup` removed."""
    removed: Timestamp | Absent | None = msgspec.UNSET
    """When `cleanup` removed it (null: unknown); absent for a task on the board."""

    @classmethod
    def of(
        cls,
        task: Task,
        conflicts: Iterable[Conflict],
        integration: str,
        moved: Iterable[ForeignChange] = (),
        resolutions: Sequence[Resolution] = (),
        disk: TaskDiskJson | Absent = msgspec.UNSET,
    ) -> TaskAnswer:
        """Return the answer for a task and its conflicts; `integration` is the integration branch."""
        return cls(
            task=TaskDetailsJson.of(task),
            conflicts=conflicts_json(conflicts, integration),
            moved=moved_json(moved),
            resolution=resolution_json(resolutions),
            disk=disk,
        )

    @classmethod
    def of_past(cls, task: Task, removed: datetime | None) -> TaskAnswer:
        """Return the answer for a task that has left the board."""
        return cls(task=TaskDetailsJson.of(task), conflicts=[], moved=[], removed=known_time(removed))


class TaskPathAnswer(JsonAnswer, tag="gitorch/task/1", frozen=True, kw_only=True):
    """The answer of `task --path`."""

    worktree: str
    """Empty when the task has no worktree."""


class TaskBriefAnswer(JsonAnswer, tag="gitorch/task/1", frozen=True, kw_only=True):
    """The answer of `task --brief`: the agent's instructions."""

    brief: str
    sent: bool
    """Whether the agent has received it."""


class LogAnswer(JsonAnswer, tag="gitorch/log/1", frozen=True, kw_only=True):
    """One event of an agent: a message or an action. `log` and `events.jsonl` have one object per line."""

    execution: str
    at: Timestamp | None
    """When it was written, to about a second; null when that is not known."""
    kind: str
    """text, thinking, tool, result, error, retry, limit or end."""
    tool: str
    """The tool's name for `tool` and `result`; otherwise empty."""
    text: str

    @classmethod
    def of(cls, execution: str, event: Event) -> LogAnswer:
        """Return the answer for one event of an execution."""
        at = timestamp(datetime.fromtimestamp(event.time, UTC)) if event.time else None
        return cls(execution=execution, at=at, kind=event.kind, tool=event.tool, text=event.text)


class AgentJson(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that is running."""

    task: str
    agent: str
    attempt: int
    doing: str
    """The name of the execution."""
    pid: int
    machine: str | None
    """The worker that it runs on; null: this machine, or none yet."""
    started: Timestamp
    memory: int
    """Bytes, of all its processes."""
    cpu_seconds: float
    activity: str
    """The last event of its agent in one line; for a preparation or a check, its name."""
    last_output: Timestamp | None
    """When it last wrote something; null: never."""


class AgentsAnswer(JsonAnswer, tag="gitorch/agents/1", frozen=True, kw_only=True):
    """The agents that are running now."""

    agents: list[AgentJson]


class AgentSetupJson(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of the configuration."""

    name: str
    kind: str
    """claude, codex, api, acp or command."""
    model: str | None
    """Null: the model that the agent chooses itself."""
    ready: bool
    detail: str
    """Its version, or why it is not ready."""
    permissions: str
    """worktree, readonly or full."""
    permission_flags: list[str]
    """The arguments that gitorch gives it for that, with the sandbox of this machine."""


class AgentListAnswer(JsonAnswer, tag="gitorch/agents/1", frozen=True, kw_only=True):
    """The answer of `agents list`: the agents that tasks can use."""

    configured: list[AgentSetupJson]


class KillAnswer(JsonAnswer, tag="gitorch/kill/1", frozen=True, kw_only=True):
    """The tasks that were stopped."""

    tasks: list[TaskJson]
