"""The dependency graph of tasks (`after`): ready tasks, merge order, closures."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Mapping

from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.task import DONE, State, Task, by_id, urgency


def refuse_broken(tasks: Mapping[TaskId, Task], existing: Collection[TaskId] = ()) -> None:
    """Raise `InvalidInput` for a missing dependency or a cycle.

    `existing` are other tasks that these may wait for, and that do not wait for these. Their own dependencies are not
    checked: they may have left the task file.
    """
    for task in tasks.values():
        for needed in task.spec.after:
            if needed not in tasks and needed not in existing:
                raise InvalidInput(
                    "unknown-dependency",
                    f"{task.id} waits for {needed}, which does not exist",
                    fix=("orchestrate status",),
                )
    try:
        graphlib.TopologicalSorter({task.id: task.spec.after for task in tasks.values()}).prepare()
    except graphlib.CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise InvalidInput("cycle", f"these tasks wait for each other: {cycle}") from error


def merge_order(selection: Iterable[Task]) -> list[Task]:
    """Sort tasks topologically, and by priority and age where the graph leaves a choice."""
    tasks = by_id(selection)
    before = {name: [n for n in task.spec.after if n in tasks] for name, task in tasks.items()}
    sorter = graphlib.TopologicalSorter(before)
    sorter.prepare()
    order: list[Task] = []
    waiting: list[Task] = []
    while sorter.is_active():
        waiting = sorted([*waiting, *(tasks[name] for name in sorter.get_ready())], key=urgency)
        first, *waiting = waiting
        order.append(first)
        sorter.done(first.id)
    return order


def closure(names: Iterable[TaskId], tasks: Mapping[TaskId, Task]) -> set[TaskId]:
    """Return these tasks and all their dependencies, at any depth, that are in `tasks`."""
    visited: set[TaskId] = set()
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name not in visited and name in tasks:
            visited.add(name)
            open_names.extend(tasks[name].spec.after)
    return visited


def nearest_first(task: Task, tasks: Mapping[TaskId, Task]) -> list[Task]:
    """Return all dependencies of a task, at any depth, each once: direct ones first, then theirs."""
    ancestors: dict[TaskId, None] = {}
    level = list(task.spec.after)
    while level:
        new = [name for name in dict.fromkeys(level) if name in tasks and name not in ancestors]
        ancestors.update(dict.fromkeys(new))
        level = [dependency for name in new for dependency in tasks[name].spec.after]
    return [tasks[name] for name in ancestors]


def unlocked(names: Iterable[TaskId], tasks: Mapping[TaskId, Task]) -> dict[TaskId, list[TaskId]]:
    """Return for each of these tasks what a verdict on it lets go on."""
    direct = _direct_dependants(tasks)
    return {name: sorted(_going_on(_reached(name, direct), tasks)) for name in names}


def unlock_counts(names: Iterable[TaskId], tasks: Mapping[TaskId, Task]) -> dict[TaskId, int]:
    """Return how many tasks a verdict on each of these lets go on."""
    return {name: len(going_on) for name, going_on in unlocked(names, tasks).items()}


def dependants(name: TaskId, tasks: Mapping[TaskId, Task]) -> set[TaskId]:
    """Return all tasks that wait for this one, at any depth."""
    return _reached(name, _direct_dependants(tasks))


def _going_on(names: Iterable[TaskId], tasks: Mapping[TaskId, Task]) -> list[TaskId]:
    over = (State.MERGED, State.REJECTED, State.CANCELLED)
    return [name for name in names if tasks[name].state not in over]


def _direct_dependants(tasks: Mapping[TaskId, Task]) -> dict[TaskId, list[TaskId]]:
    direct: dict[TaskId, list[TaskId]] = {}
    for task in tasks.values():
        for needed in task.spec.after:
            direct.setdefault(needed, []).append(task.id)
    return direct


def _reached(name: TaskId, direct: Mapping[TaskId, Collection[TaskId]]) -> set[TaskId]:
    reached: set[TaskId] = set()
    open_names = [name]
    while open_names:
        new = set(direct.get(open_names.pop(), ())) - reached
        reached |= new
        open_names.extend(new)
    return reached


def ready(tasks: Mapping[TaskId, Task], *, approved_only: bool = False) -> list[Task]:
    """Return the queued tasks whose dependencies are done, most urgent first.

    With `approved_only` a dependency counts once a person has approved it.
    """
    enough: Collection[State] = (State.APPROVED, State.MERGED) if approved_only else DONE
    startable = (
        task
        for task in tasks.values()
        if task.state is State.QUEUED and all(n not in tasks or _is_done(tasks[n], enough) for n in task.spec.after)
    )
    return sorted(startable, key=urgency)


def blockers(task: Task, tasks: Mapping[TaskId, Task]) -> list[Task]:
    """Return the dependencies that keep this task from starting."""
    return [tasks[name] for name in task.spec.after if name in tasks and not _is_done(tasks[name], DONE)]


def stranded(tasks: Mapping[TaskId, Task]) -> dict[TaskId, list[TaskId]]:
    """Return each task without a result that queued tasks wait for, at any depth, with these in their order."""
    direct = _direct_dependants(tasks)
    over = (State.FAILED, State.CANCELLED, State.REJECTED)
    blocked = {
        task.id: _reached(task.id, direct) for task in tasks.values() if task.state in over and task.id in direct
    }
    queued = sorted((task for task in tasks.values() if task.state is State.QUEUED), key=urgency)
    waiting = {name: [task.id for task in queued if task.id in reached] for name, reached in blocked.items()}
    return {name: names for name, names in waiting.items() if names}


def is_unpicked(task: Task) -> bool:
    """Return whether a task is finished, and a person has yet to pick it or one of its rivals."""
    return task.spec.rival is not None and task.state is State.FINISHED


def _is_done(task: Task, states: Collection[State]) -> bool:
    # what is built on a rival would be built in vain if another one is picked
    return task.state in states and not is_unpicked(task)
