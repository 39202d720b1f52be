"""Change what waits in the queue: the request of a task, and its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.flow import intake
from gitorch.flow.attempt import was_cut_off
from gitorch.model import globs, graph, queue_order
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task, change, change_spec
from gitorch.services import people_only
from gitorch.services.branches.stale import is_up_to_date
from gitorch.services.changes import operate
from gitorch.services.recovery.operations import operation_lock
from gitorch.services.roles import assign_role
from gitorch.services.submit import require_known_names
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe

_OVER = (State.MERGED, State.REJECTED)
_PLACED = (State.QUEUED, State.WAITING)
_JUDGED = ("after", "checks")
"""The fields of a request that a verdict of a person or of the checks has relied on."""


class QueueEnd(StrEnum):
    """An end of the queue."""

    FIRST = "first"
    LAST = "last"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task goes in the queue: to an end, or next to another task."""

    end: QueueEnd | None = None
    before: TaskId | None = None
    behind: TaskId | None = None


class EditedTask(msgspec.Struct, frozen=True):
    """A task after a change of its request, and what the change means if that is not obvious."""

    task: Task
    meaning: str = ""


def edit(workspace: Workspace, task: Task, fields: dict[str, Any]) -> EditedTask:
    """Change fields of a task's request (of `TaskSpec`), as one operation.

    Raises `Refused` for a task that is running or at its end, and `InvalidInput` for a value that is not valid.
    """
    people_only.require_person("change tasks")

    def edited(current: Task) -> Task:
        _refuse_fixed(current, fields)
        changed = _with_fields(workspace, current, fields)
        tasks = {**workspace.tasks, changed.id: changed}
        # dependencies that were cleaned up have left the task file
        graph.refuse_broken(tasks, {name for task in tasks.values() for name in task.spec.after})
        return changed

    (changed,) = _change(workspace, "edit", [task], lambda tasks: [edited(tasks[0])])
    return EditedTask(changed, _meaning(changed, fields))


def move(workspace: Workspace, tasks: Sequence[Task], position: Position) -> list[Task]:
    """Move tasks to a place in the queue, in the order given, as one operation.

    Raises `Refused` for a task that does not wait in the queue.
    """
    people_only.require_person("change tasks")
    return _change(workspace, "move", tasks, lambda current: _moved(waiting(workspace), current, position))


def waiting(workspace: Workspace) -> list[Task]:
    """Return the tasks that wait in the queue, in its order."""
    return queue_order.in_order(task for task in workspace.tasks.values() if task.state in _PLACED)


def _change(
    workspace: Workspace, kind: str, tasks: Sequence[Task], changed: Callable[[list[Task]], list[Task]]
) -> list[Task]:
    """Change tasks as they are now; no run starts one of them meanwhile."""
    with operation_lock(workspace), workspace.store.lock():
        current = [workspace.tasks.get(task.id, task) for task in tasks]
        operate(workspace, kind, [*zip(current, changed(current), strict=True)], summary=describe(kind, tasks))
    return [workspace.tasks[task.id] for task in tasks]


def _moved(queue: Sequence[Task], tasks: Sequence[Task], position: Position) -> list[Task]:
    for task in tasks:
        _refuse_unplaced(task)
    names = {task.id for task in tasks}
    remaining = [task for task in queue if task.id not in names]
    index = _index(remaining, position)
    moved: list[Task] = []
    for task in tasks:
        place = queue_order.place_at(remaining, index) if remaining else ()
        moved.append(change(task, place=place))
        remaining.insert(index, moved[-1])
        index += 1
    return moved


def _index(remaining: Sequence[Task], position: Position) -> int:
    """Return the place in the rest of the queue that a position means."""
    if position.end is not None:
        return 0 if position.end is QueueEnd.FIRST else len(remaining)
    names = [task.id for task in remaining]
    anchor = position.before or position.behind
    if anchor not in names:
        raise Refused("not-queued", f"{anchor} is not among the other tasks that wait in the queue")
    return names.index(anchor) + (position.before is None)


def _refuse_unplaced(task: Task) -> None:
    if task.state not in _PLACED:
        raise Refused(
            "not-queued",
            f"{task.id} is {task.state}",
            why="only tasks that wait in the queue have a place in it",
            fix=("orchestrate status",),
        )


def _refuse_fixed(task: Task, fields: dict[str, Any]) -> None:
    """Raise `Refused` if a task cannot change now."""
    if task.state is State.RUNNING:
        raise Refused(
            "running",
            f"{task.id} is running",
            why="its agent has read the task and does not see a change",
            fix=(f"orchestrate kill {task.id}, then edit it, then orchestrate retry {task.id}",),
        )
    if task.state in _OVER:
        raise Refused("over", f"{task.id} is {task.state}", why="its request is part of the record")
    if task.state is State.APPROVED and any(name in fields for name in _JUDGED):
        raise Refused(
            "approved",
            f"{task.id} is approved",
            why="the approval relies on its checks and on what it builds on",
            fix=(f'orchestrate revise {task.id} -m "..."',),
        )


def _with_fields(workspace: Workspace, task: Task, fields: dict[str, Any]) -> Task:
    changed = change_spec(task, **_normalized(task, fields))
    _refuse_unencodable(changed)
    if fields.get("role") == "auto":
        changed = assign_role(workspace.roles, workspace.config, change_spec(changed, role=""))
    elif "role" in fields:
        changed = change_spec(changed, role_reason="")
    require_known_names(workspace, [changed])
    if "priority" in fields:  # it counts from now on, also for a task that was moved
        changed = change(changed, place=())
    if "checks" in fields:
        changed = change(changed, results=())  # they are of other checks
    if "after" in fields and changed.commits is not None:
        changed = change(changed, stale=not is_up_to_date(workspace, changed, workspace.tasks))
    return changed


def _normalized(task: Task, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with a title of one line, and the title that follows from a new prompt unless it was chosen."""
    for pattern in fields.get("paths", ()):
        if reason := globs.problem(pattern):
            raise InvalidInput("task-invalid", f"paths: {pattern} is not a valid glob", why=reason)
    if "title" in fields:
        return {**fields, "title": intake.from_text(fields["title"]).title}
    is_derived = task.title == intake.headline(task.spec.prompt)
    if "prompt" not in fields:
        return fields
    draft = intake.from_text(fields["prompt"])
    return {**fields, "title": draft.title} if is_derived else fields


def _refuse_unencodable(task: Task) -> None:
    try:
        msgspec.json.encode(task.spec)
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", "the text is not UTF-8", why=str(error)) from error


def _meaning(task: Task, fields: dict[str, Any]) -> str:
    """Return what a change means for a task that has been worked on."""
    name = task.id
    if task.attempt is None:
        return ""
    if task.state is State.QUEUED or task.state is State.WAITING:
        return _meaning_of_session(task, fields)
    if "checks" in fields and task.state in (State.FINISHED, State.CONFLICTED):
        return f"{name} is {task.state}: its new checks have not run; run them with: orchestrate check {name}"
    if fields.keys() <= {"after", "priority", "title"}:
        suffix = "; it is stale until it is rebuilt on them" if task.stale else ""
        return f"{name} is {task.state}: the change counts for the order of the merge{suffix}"
    return (
        f"{name} is {task.state}: its branch stays as it is, and the change counts for the next attempt; "
        f"start one with: orchestrate retry {name}"
    )


def _meaning_of_session(task: Task, fields: dict[str, Any]) -> str:
    last = task.attempt
    continues = last is not None and last.agent == task.spec.agent and (task.answer or was_cut_off(last))
    if not (continues or task.question) or fields.keys() <= {"priority", "budget", "timeout", "agent", "after"}:
        return ""
    return (
        f"the session of {task.id} goes on, and its agent has read the task as it was; "
        f"start afresh with: orchestrate retry {task.id}"
    )
