"""Read a plan from untrusted input, a model or an editor, and validate it as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from gitorch import typed
from gitorch.errors import InvalidInput
from gitorch.model.plan.values import MOST_TASKS, PlannedTask, Problem, Size, TaskPlan, problems, quoted, refuse
from gitorch.model.task import Priority

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": {"type": "string"}}


def _described(kind: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {**kind, "description": description}


_TASK: dict[str, Any] = {
    "id": _described(_TEXT, "a short name, unique in the plan: lowercase letters, digits and dashes, at most 50"),
    "title": _described(_TEXT, "one line that says what will be different when it is done"),
    "prompt": _described(
        _TEXT, "all that an engineer who sees only the repository and this text has to know to do it well"
    ),
    "role": _described(_TEXT, "the role that suits it, by name; empty when none stands out"),
    "agent": _described(_TEXT, "the agent that must do it, by name; empty unless the user asked for one"),
    "priority": _described({"type": "string", "enum": [value.value for value in Priority]}, "how early it starts"),
    "after": _described(_TEXTS, "ids of the tasks whose work it needs to be there; empty when it can start at once"),
    "paths": _described(_TEXTS, "globs of the files it should keep to, relative to the repository; empty for any"),
    "acceptance": _described(_TEXTS, "what must be true when it is done, each checkable by a reviewer"),
    "size": _described({"type": "string", "enum": [value.value for value in Size]}, "how much work it is"),
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reply": _described(_TEXT, "what you say to the person about the plan, in a few plain sentences"),
        "tasks": {
            "type": "array",
            "description": f"the tasks, at most {MOST_TASKS}; those without a path between them run in parallel",
            "items": {
                "type": "object",
                "properties": _TASK,
                "required": list(_TASK),
                "additionalProperties": False,
            },
        },
    },
    "required": ["reply", "tasks"],
    "additionalProperties": False,
}
"""The JSON schema for a model's answer; strict tools and structured output can enforce all of it."""


def read_plan(
    document: Mapping[str, Any], *, goal: str, made_by: str, roles: Collection[str], agents: Collection[str]
) -> TaskPlan:
    """Return the plan that untrusted data of the shape of `SCHEMA` describes; its `reply` is ignored.

    Fields of a task that have a default may be missing. Raises `InvalidInput` whose `why` lists all problems, so
    that the author can fix them: wrong types, unknown keys, names, roles and agents, cycles, exceeded limits.
    """
    tables = document.get("tasks")
    if not isinstance(tables, list) or not tables:
        raise InvalidInput("plan-invalid", "the plan has no tasks", why="tasks must be a list that is not empty")
    if len(tables) > MOST_TASKS:
        raise InvalidInput("too-many-tasks", f"the plan has {len(tables)} tasks; the most is {MOST_TASKS}")
    tasks, unreadable = [], []
    for number, table in enumerate(tables, start=1):
        try:
            tasks.append(_read_task(table, number))
        except InvalidInput as error:
            unreadable.append(Problem(error.code, error.what))
    plan = TaskPlan(goal=goal, tasks=tuple(tasks), made_by=made_by)
    foreign = [problem for task in tasks for problem in _foreign(task, roles, agents)]
    # a task may depend on an unreadable one: that is not a problem of its own
    refuse([*unreadable, *([] if unreadable else problems(plan)), *foreign])
    return plan


def _read_task(table: object, number: int) -> PlannedTask:
    if not isinstance(table, dict):
        raise InvalidInput("plan-invalid", f"task {number} is not an object with fields")
    name = quoted(table["id"]) if isinstance(table.get("id"), str) else f"task {number}"
    if unknown := [str(key) for key in table if key not in _TASK]:
        raise InvalidInput("plan-invalid", f"{name} has unknown fields: {', '.join(map(quoted, unknown[:5]))}")
    try:
        return typed.from_object(table, PlannedTask)
    except msgspec.ValidationError as error:
        raise InvalidInput("plan-invalid", f"{name}: {error}") from error


def _foreign(task: PlannedTask, roles: Collection[str], agents: Collection[str]) -> Iterator[Problem]:
    """Yield unknown roles and agents."""
    name = quoted(task.id)
    if task.role and task.role not in roles:
        yield Problem("unknown-role", f"{name} has the unknown role {quoted(task.role)}; there is {', '.join(roles)}")
    if task.agent and task.agent not in agents:
        yield Problem(
            "unknown-agent", f"{name} has the unknown agent {quoted(task.agent)}; there is {', '.join(agents)}"
        )
