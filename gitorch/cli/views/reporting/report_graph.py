"""The graph of a report's tasks as numbers for SVG: what a task builds on is to its left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

from gitorch.cli.views import labels
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task

BOX_WIDTH, BOX_HEIGHT = 172, 42
_COLUMN, _ROW = 226, 54
_GAP = 10
_PER_ROW = 5
"""Tasks without a connection that stand in one row."""

_SWEEPS = 4
"""Passes that order each column by the neighbours of its tasks: more rarely remove another crossing."""


class GraphBox(msgspec.Struct, frozen=True):
    """A task in the graph: its corner, its name and state, and the class of its state."""

    id: TaskId
    state: str
    kind: str
    x: int
    y: int


class GraphEdge(msgspec.Struct, frozen=True):
    """A curve from a task to one that builds on it, as the path of an SVG element. It passes no other task's box."""

    path: str


class TaskGraph(msgspec.Struct, frozen=True):
    """All boxes and edges, and the size of the picture."""

    boxes: tuple[GraphBox, ...]
    edges: tuple[GraphEdge, ...]
    width: int
    height: int


def _state(task: Task) -> str:
    """Return a task's state, and what else its colour says."""
    return f"{task.state}, checks failed" if task.state is State.FINISHED and task.passed is False else str(task.state)


def kind(task: Task) -> str:
    """Return the class by which the page colours a task."""
    return "bad" if labels.needs_attention(task) else str(task.state)


_Slot: TypeAlias = tuple[TaskId, TaskId, int]
"""A place in a column: a task (twice, and 0), or where an edge between two tasks passes the column of a number."""


def task_graph(tasks: Sequence[Task]) -> TaskGraph:
    """Return the graph: what is connected together, one group below the other, and all other tasks in rows below."""
    by_name = {task.id: task for task in tasks}
    after = {task.id: [name for name in task.spec.after if name in by_name] for task in tasks}
    depths: dict[TaskId, int] = {}
    for task in tasks:
        _depth(task.id, after, depths)
    groups = _groups(after)
    corners: dict[_Slot, tuple[int, int]] = {}
    chains: list[list[_Slot]] = []
    top = 2
    for names in groups:
        group_chains = [_chain(before, name, depths) for name in names for before in after[name]]
        top = _place(_columns(names, group_chains, depths), top, corners)
        chains += group_chains
    connected = {name for names in groups for name in names}
    for position, task in enumerate(task for task in tasks if task.id not in connected):
        row, column = divmod(position, _PER_ROW)
        corners[_slot(task.id)] = (column * _COLUMN + 2, top + row * _ROW)
    boxes = tuple(GraphBox(task.id, _state(task), kind(task), *corners[_slot(task.id)]) for task in tasks)
    edges = tuple(GraphEdge(_path([corners[slot] for slot in chain])) for chain in chains)
    width = max((box.x for box in boxes), default=0) + BOX_WIDTH + 4
    height = max((y for _, y in corners.values()), default=0) + BOX_HEIGHT + 4
    return TaskGraph(boxes, edges, width, height)


def _groups(after: Mapping[TaskId, Sequence[TaskId]]) -> list[list[TaskId]]:
    """Return the tasks that are connected with each other, the largest group first; a task alone is in none."""
    members: dict[TaskId, list[TaskId]] = {name: [name] for name in after}
    for name, names in after.items():
        for other in names:
            if (joined := members[other]) is not members[name]:
                joined += members[name]
                members |= dict.fromkeys(members[name], joined)
    groups = {id(group): group for group in members.values() if len(group) > 1}
    return sorted(groups.values(), key=len, reverse=True)


def _place(columns: Sequence[Sequence[_Slot]], top: int, corners: dict[_Slot, tuple[int, int]]) -> int:
    """Fill in the corners of a group, each column in the middle of its height; return the top of the next one."""
    rows = max(map(len, columns))
    for column, slots in enumerate(columns):
        offset = top + (rows - len(slots)) * _ROW // 2
        corners |= {slot: (column * _COLUMN + 2, offset + row * _ROW) for row, slot in enumerate(slots)}
    return top + rows * _ROW + _GAP


def _slot(name: TaskId) -> _Slot:
    return name, name, 0


def _chain(start: TaskId, end: TaskId, depths: Mapping[TaskId, int]) -> list[_Slot]:
    """Return the slots that an edge goes through: a slot of its own in each column between its tasks."""
    passed = ((start, end, column) for column in range(depths[start] + 1, depths[end]))
    return [_slot(start), *passed, _slot(end)]


def _columns(
    names: Sequence[TaskId], chains: Sequence[Sequence[_Slot]], depths: Mapping[TaskId, int]
) -> list[list[_Slot]]:
    """Return the slots of connected tasks and of edges by column, ordered so that few edges cross."""
    columns: list[list[_Slot]] = [[] for _ in range(max((depths[name] for name in names), default=-1) + 1)]
    for name in names:
        columns[depths[name]].append(_slot(name))
    left: dict[_Slot, list[_Slot]] = {}
    right: dict[_Slot, list[_Slot]] = {}
    for chain in chains:
        for slot in chain[1:-1]:
            columns[slot[2]].append(slot)
        for before, behind in pairwise(chain):
            left.setdefault(behind, []).append(before)
            right.setdefault(before, []).append(behind)
    for sweep in range(_SWEEPS):
        is_forward = sweep % 2 == 0
        for column in columns if is_forward else reversed(columns):
            _order(column, left if is_forward else right, columns)
    return columns


def _order(column: list[_Slot], neighbours: Mapping[_Slot, Sequence[_Slot]], columns: Sequence[list[_Slot]]) -> None:
    """Order a column by the mean row of each slot's neighbours."""
    rows = {slot: row for slots in columns for row, slot in enumerate(slots)}

    def mean(slot: _Slot) -> float:
        neighbour_rows = [rows[other] for other in neighbours.get(slot, ())]
        return sum(neighbour_rows) / len(neighbour_rows) if neighbour_rows else rows[slot]

    column.sort(key=mean)


def _depth(name: TaskId, after: Mapping[TaskId, Sequence[TaskId]], depths: dict[TaskId, int]) -> None:
    """Fill in the depth of a task and of all that it builds on, without recursion."""
    open_names = [name]
    while open_names:
        current = open_names[-1]
        missing = [other for other in after[current] if other not in depths]
        if missing:
            open_names += missing
        else:
            depths[current] = 1 + max((depths[other] for other in after[current]), default=-1)
            open_names.pop()


def _path(corners: Sequence[tuple[int, int]]) -> str:
    """Return the curve from the right side of the first box to the left side of the last one."""
    middle = BOX_HEIGHT // 2
    x, y = corners[0][0] + BOX_WIDTH, corners[0][1] + middle
    parts = [f"M{x} {y}"]
    for column, row in corners[1:]:
        is_last = (column, row) == corners[-1]
        end = column - 6 if is_last else column
        bend = (end - x) // 2
        parts.append(f"C{x + bend} {y} {end - bend} {row + middle} {end} {row + middle}")
        if not is_last:
            parts.append(f"H{column + BOX_WIDTH}")
        x, y = column + BOX_WIDTH, row + middle
    return " ".join(parts)
