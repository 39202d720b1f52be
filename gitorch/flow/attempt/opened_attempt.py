"""The values that the steps of one attempt share: its room, its agent, and the folder of its files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings
from gitorch.flow.attempt.records import attempt_folder, attempt_key
from gitorch.model.roles import Role, generalist
from gitorch.model.task import Phase, Task, base_of, current_attempt
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import Room, RoomSpec


class OpenedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt with its room: `key` is the prefix of its execution keys, `folder` has its own files.

    `messages` is a folder that its agent can write, for what it and gitorch tell each other.
    """

    key: str
    folder: Path
    messages: Path
    room: Room
    settings: AgentSettings
    agent: Agent

    @property
    def reads_only(self) -> bool:
        """Whether the agent must change nothing."""
        return self.settings.permissions == "readonly"


def open_attempt(context: RunContext, task: Task) -> OpenedAttempt:
    """Create the room of an attempt, or reopen it after a crash. Raises `RoomError` if that is impossible."""
    key, attempt = attempt_key(task), current_attempt(task)
    if attempt.phase is Phase.PREPARING:
        _end_preparations(context, key)
        room = context.rooms.create(room_spec(context, task))
    else:
        room = context.rooms.reopen(room_spec(context, task))
    folder = attempt_folder(context.folder, task)
    folder.mkdir(parents=True, exist_ok=True)
    role = context.roles.get(task.spec.role) or generalist()
    settings = _with_model_of_role(context.config.agents[attempt.agent], role)
    if attempt.answers_only:
        settings = msgspec.structs.replace(settings, permissions="readonly")
    return OpenedAttempt(
        key=key,
        folder=folder,
        # without a box, agents share the folder of their state
        messages=folder if room.agent_state == context.folder else room.agent_state,
        room=room,
        settings=settings,
        agent=context.agents[settings.kind],
    )


def room_spec(context: RunContext, task: Task) -> RoomSpec:
    """Return the specification of the room for a task's last attempt."""
    return RoomSpec(
        task=task.id,
        attempt=task.attempts,
        agent=task.spec.agent,
        branch=task.branch,
        base=base_of(task),
        tip=task.tip,
        directory=Path(task.worktree),
        folder=attempt_folder(context.folder, task),
        only_reads=current_attempt(task).answers_only,
    )


def _with_model_of_role(settings: AgentSettings, role: Role) -> AgentSettings:
    """Return an agent's settings with the model that a role asks for, unless the user has chosen one."""
    if settings.kind != "claude" or settings.model or not role.model:
        return settings
    return msgspec.structs.replace(settings, model=role.model)


def _end_preparations(context: RunContext, key: str) -> None:
    """Cancel preparations that a killed orchestrator left running, before they start again."""
    for execution in context.executor.adopt(key):
        context.executor.cancel(execution, "prepared again", now=True)
        context.executor.wait(execution)
