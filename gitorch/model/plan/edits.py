"""Edits of a plan: each returns the new, valid plan or raises `InvalidInput`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gitorch import typed
from gitorch.errors import InvalidInput, did_you_mean
from gitorch.model.naming import TaskId, slug, unused
from gitorch.model.plan.values import PlannedTask, Size, TaskPlan, quoted, valid

Renaming = Callable[[TaskId], Sequence[TaskId]]


def add(plan: TaskPlan, task: PlannedTask) -> TaskPlan:
    """Put a task at the end of a plan."""
    return _with(plan, [*plan.tasks, task])


def remove(plan: TaskPlan, name: TaskId) -> TaskPlan:
    """Remove a task. Its dependents inherit its dependencies, so that the order is preserved."""
    removed = _task(plan, name)
    remaining = [task for task in plan.tasks if task.id != name]
    return _with(
        plan,
        [
            _renamed(task, lambda dependency: removed.after if dependency == name else (dependency,))
            for task in remaining
        ],
    )


def modify(plan: TaskPlan, name: TaskId, **fields: Any) -> TaskPlan:
    """Change fields of a task. A new `id` is also changed in the tasks that wait for it."""
    task = _task(plan, name)
    if unknown := [field for field in fields if field not in PlannedTask.__struct_fields__]:
        fields_of_task = ", ".join(PlannedTask.__struct_fields__)
        raise InvalidInput(
            "unknown-field", f"a task of a plan has no {', '.join(unknown)}", why=f"it has {fields_of_task}"
        )
    changed = _converted({**msgspec.to_builtins(task), **fields})
    renamed = [
        _renamed(other, lambda dependency: (changed.id,) if dependency == name else (dependency,))
        for other in plan.tasks
    ]
    return _with(
        plan, [changed if before.id == name else other for before, other in zip(plan.tasks, renamed, strict=True)]
    )


def split(plan: TaskPlan, name: TaskId, parts: Sequence[PlannedTask], *, chain: bool = False) -> TaskPlan:
    """Replace one task with several.

    Each part waits for what the task waited for and for what it names itself, in a `chain` also for the part before;
    what waited for the task waits for all parts. One of them may keep the task's name.
    """
    task = _task(plan, name)
    if len(parts) < 2:
        raise InvalidInput("split", f"cannot split {name} into {len(parts)}: give at least two parts")
    earlier: list[tuple[TaskId, ...]] = [(), *((part.id,) for part in parts[:-1])]
    pieces = [
        msgspec.structs.replace(part, after=_once(*task.after, *part.after, *(before if chain else ())))
        for part, before in zip(parts, earlier, strict=True)
    ]
    last = (parts[-1].id,) if chain else tuple(part.id for part in parts)
    replaced = [
        [_renamed(entry, lambda dependency: last if dependency == name else (dependency,))] for entry in plan.tasks
    ]
    placed = [pieces if before.id == name else entry for before, entry in zip(plan.tasks, replaced, strict=True)]
    return _with(plan, [entry for some in placed for entry in some])


def link(plan: TaskPlan, name: TaskId, after: TaskId) -> TaskPlan:
    """Have a task wait for another one."""
    task = _task(plan, name)
    _task(plan, after)
    if after in task.after:
        raise InvalidInput("linked", f"{name} waits for {after} already")
    return modify(plan, name, after=(*task.after, after))


def unlink(plan: TaskPlan, name: TaskId, after: TaskId) -> TaskPlan:
    """Have a task no longer wait for another one."""
    task = _task(plan, name)
    if after not in task.after:
        waits = f"it waits for {', '.join(task.after)}" if task.after else "it waits for nothing"
        raise InvalidInput("not-linked", f"{name} does not wait for {after}", why=waits)
    return modify(plan, name, after=tuple(dependency for dependency in task.after if dependency != after))


def reorder(plan: TaskPlan, names: Sequence[TaskId]) -> TaskPlan:
    """Move these tasks to the front, in this order; the others keep their order."""
    first = [_task(plan, name) for name in names]
    if len(set(names)) < len(names):
        raise InvalidInput("duplicate-id", "a task is named twice in the new order")
    return _with(plan, [*first, *(task for task in plan.tasks if task.id not in names)])


def task_of(fields: dict[str, Any]) -> PlannedTask:
    """Return a task of these fields; raise `InvalidInput` for a field of the wrong kind."""
    return _converted(fields)


def with_unused_id(
    plan: TaskPlan, task: PlannedTask, *, is_explicit: bool, after: Sequence[TaskId] = ()
) -> PlannedTask:
    """Return a new task that waits for `after`, with an unused name unless the user chose one (`is_explicit`)."""
    name = task.id if is_explicit else unused(task.id, plan.by_id)
    return msgspec.structs.replace(task, id=name, after=tuple(dict.fromkeys(after)))


def parts_of(plan: TaskPlan, task: PlannedTask, titles: Mapping[str, str]) -> list[PlannedTask]:
    """Return the parts that a task is split into: `titles` maps the text of each to its title.

    They have the role, agent, priority and paths of the task, are one size smaller, and quote the task.
    """
    names = {other.id for other in plan.tasks if other.id != task.id}
    parts: list[PlannedTask] = []
    for text, title in titles.items():
        name = slug(title, {*names, *(part.id for part in parts)})
        prompt = f"{text}\n\nThis is a part of a larger task, whose other parts are done by others:\n\n{task.prompt}"
        parts.append(
            msgspec.structs.replace(
                task, id=name, title=title, prompt=prompt, after=(), acceptance=(), size=_SMALLER[task.size]
            )
        )
    return parts


_SMALLER = {Size.LARGE: Size.MEDIUM, Size.MEDIUM: Size.SMALL, Size.SMALL: Size.SMALL}


def _with(plan: TaskPlan, tasks: Sequence[PlannedTask]) -> TaskPlan:
    return valid(msgspec.structs.replace(plan, tasks=tuple(tasks)))


def _task(plan: TaskPlan, name: TaskId) -> PlannedTask:
    if name in plan.by_id:
        return plan.by_id[name]
    suggestion = did_you_mean(name, plan.by_id)
    raise InvalidInput("no-such-task", f"there is no task {quoted(name)} in the plan", why=suggestion)


def _renamed(task: PlannedTask, renaming: Renaming) -> PlannedTask:
    return msgspec.structs.replace(task, after=_once(*(new for old in task.after for new in renaming(old))))


def _once(*names: TaskId) -> tuple[TaskId, ...]:
    return tuple(dict.fromkeys(names))


def _converted(table: dict[str, Any]) -> PlannedTask:
    try:
        return typed.from_object(table, PlannedTask)
    except msgspec.ValidationError as error:
        raise InvalidInput("task-invalid", f"invalid change of the task: {error}") from error
