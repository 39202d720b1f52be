"""Find tasks by name, prefix or number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch.config import LoadedConfig
from gitorch.errors import InvalidInput, NotFound, did_you_mean, there_is
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.services.workspace import Workspace


def find_task(workspace: Workspace, name: str) -> Task:
    """Return the task with this id, unique prefix of an id, or number. Raises `NotFound` otherwise."""
    return find_among(workspace.tasks, name)


def find_among(tasks: Mapping[TaskId, Task], name: str) -> Task:
    """Return the one of these tasks with this id, unique prefix of an id, or number. Raises `NotFound` otherwise."""
    if name in tasks:
        return tasks[TaskId(name)]
    by_number = [task for task in tasks.values() if name.isdigit() and task.number == int(name)]
    matches = by_number or [task for task in tasks.values() if name and task.id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    raise _not_found(name, matches, tasks)


def task_of_folder(workspace: Workspace, folder: Path) -> Task | None:
    """Return the task whose worktree contains a folder."""
    tasks = workspace.tasks.values()
    return next((task for task in tasks if task.worktree and folder.is_relative_to(task.worktree)), None)


def unknown_name(kind: str, name: str, valid: Sequence[str]) -> InvalidInput:
    """Return the error for a name of this kind (`agent`, `role`) that is not one of the valid names."""
    hint = did_you_mean(name, valid, lead="; ")
    return InvalidInput(
        f"unknown-{kind}", f"there is no {kind} {name}{hint}", why=f"there is {', '.join(sorted(valid))}"
    )


def require_configured_agents(loaded: LoadedConfig) -> None:
    """Raise `InvalidInput` where the settings name an agent that is not configured."""
    config = loaded.config
    named = {"agent": config.agent, **{f"roles.{name}.agent": role.agent for name, role in config.roles.items()}}
    for setting, agent in named.items():
        if agent not in ("", "auto", *config.agents):
            origin = loaded.origins.get(setting, "configuration")
            hint = did_you_mean(agent, config.agents, lead="; ")
            raise InvalidInput(
                "unknown-agent",
                f"{origin}: {setting} = {json.dumps(agent)}: there is no such agent{hint}",
                why=f"there is {', '.join(sorted(config.agents))}",
                fix=(f"orchestrate config set {setting} AGENT",),
            )


def _not_found(name: str, matches: Sequence[Task], tasks: Mapping[TaskId, Task]) -> NotFound:
    if matches:
        return NotFound("ambiguous", f"{name} can mean {', '.join(task.id for task in matches[:5])}")
    return NotFound(
        "no-such-task",
        f"there is no task {name}",
        why=there_is(name, tasks),
        fix=("orchestrate status",),
    )
