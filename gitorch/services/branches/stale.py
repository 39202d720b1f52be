"""Stale tasks: those whose dependency changed after they started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task, change
from gitorch.services.workspace import Workspace
from gitorch.storage.tasks import Pair


def mark_dependents_stale(workspace: Workspace, task: Task) -> list[tuple[Task, Task]]:
    """Return the started tasks that build on this one, each unchanged and marked as stale."""
    tasks = workspace.tasks
    dependents = (tasks[name] for name in graph.dependants(task.id, tasks))
    return [(task, change(task, stale=True)) for task in dependents if _is_started(task)]


def with_stale_dependents(workspace: Workspace, pairs: Sequence[Pair]) -> list[Pair]:
    """Return changes of tasks, and then those of tasks that build on a branch whose tip they move, marked as stale.

    So a command that is killed before it has rebased these leaves that to the next one.
    """
    before = dict(workspace.tasks)
    new = {task.id: task for _, task in pairs if task is not None}
    moved = [name for name, task in new.items() if name in before and before[name].tip != task.tip]
    marked = {task.id: task for task in outdated(workspace, moved, {**before, **new})}
    own = [(old, marked.pop(task.id, task) if task else None) for old, task in pairs]
    return [*own, *((before[name], task) for name, task in marked.items())]


def outdated(workspace: Workspace, moved: Iterable[TaskId], tasks: Mapping[TaskId, Task]) -> list[Task]:
    """Return the started tasks that build on these, and not on their current tips, marked as stale."""
    current = dict(tasks)
    names = {name for start in moved for name in graph.dependants(start, current)}
    marked = []
    for dependent in graph.merge_order(current[name] for name in names if _is_started(current[name])):
        if not is_up_to_date(workspace, dependent, current):
            current[dependent.id] = change(dependent, stale=True)
            marked.append(current[dependent.id])
    return marked


def _is_started(task: Task) -> bool:
    return task.base is not None and task.state is not State.MERGED


def unstale_dependents(workspace: Workspace, changed: Sequence[Task]) -> list[Task]:
    """Return the tasks that are no longer stale because a dependency is back in the conflict before its attempt.

    Call before `changed` is saved.
    """
    tasks = dict(workspace.tasks)
    unstaled: list[Task] = []
    for task in changed:
        before = tasks.get(task.id)
        conflict = before.conflict if before is not None and task.state is State.CONFLICTED else None
        tasks[task.id] = task
        names = conflict.dependents if conflict else ()
        for dependent in graph.merge_order(tasks[name] for name in names if name in tasks):
            is_idle = dependent.stale and dependent.state is not State.RUNNING
            if is_idle and is_up_to_date(workspace, dependent, tasks):
                tasks[dependent.id] = change(dependent, stale=False)
                unstaled.append(tasks[dependent.id])
    return unstaled


def is_up_to_date(workspace: Workspace, task: Task, tasks: Mapping[TaskId, Task]) -> bool:
    """Return whether a task is based on the current tips of its dependencies."""
    return all(is_based_on(workspace, task, tasks[name]) for name in task.spec.after if name in tasks)


def is_based_on(workspace: Workspace, task: Task, dependency: Task) -> bool:
    """Return whether a task is based on the current tip of one of its dependencies."""
    if dependency.state is State.MERGED:
        return True
    if dependency.stale or dependency.tip is None or task.base is None:
        return False
    return workspace.repository.is_ancestor(dependency.tip, task.base)
