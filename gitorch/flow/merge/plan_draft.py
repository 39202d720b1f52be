"""A merge plan in the making: which tasks are in so far, which conflict, which wait, and which to try again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from gitorch.flow.merge.values import Blocked, MergeStep
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task
from gitorch.replay import Conflicted


class OpenConflict(msgspec.Struct, frozen=True):
    """A conflict of a task with the first `count` steps.

    A path in conflict that the task does not change comes from a moved folder. Whether a folder counts as moved depends
    on what else is in it, so `folders` are then those that the task changes something in.
    """

    count: int
    conflict: Conflicted
    folders: frozenset[str]


class PlanDraft:
    """The tasks that are in, in merge order, and the others with what keeps them out.

    `onto` is the commit that they go onto; `left_out` says why other tasks do not go in. `reasons` are the words for
    what depends on a task that is out.
    """

    def __init__(self, onto: Oid, left_out: Mapping[TaskId, str]) -> None:
        self.onto = onto
        self.steps: list[MergeStep] = []
        self.tips: tuple[Oid, ...] = ()
        self.reasons = dict(left_out)
        self._conflicts: dict[TaskId, OpenConflict] = {}
        self._blocked: dict[TaskId, Blocked] = {}
        self._changed: dict[str, int] = {}
        self._changed_below: dict[str, int] = {}

    @property
    def tip(self) -> Oid:
        return self.steps[-1].replayed.tip if self.steps else self.onto

    def add(self, step: MergeStep) -> None:
        """Put a task on top."""
        self._forget(step.task)
        self.steps.append(step)
        number = len(self.steps)
        self._changed |= dict.fromkeys(step.paths, number)
        self._changed_below |= {folder: number for path in step.paths for folder in _folders(path)}
        self.tips = (*self.tips, *step.tips)

    def block(self, blocked: Blocked) -> None:
        """Leave a task out, because of a dependency or an error."""
        self._forget(blocked.task)
        self._blocked[blocked.task.id] = blocked
        self.reasons[blocked.task.id] = "which waits"

    def conflict(self, task: Task, conflict: Conflicted, paths: Collection[str]) -> None:
        """Leave a task out, because it conflicts with what is in; `paths` are those that it changes."""
        self._forget(task)
        is_moved = any(path not in paths for path in conflict.paths)
        folders = {folder for path in paths for folder in _folders(path)[:-1]} if is_moved else ()
        self._conflicts[task.id] = OpenConflict(len(self.steps), conflict, frozenset(folders))
        self.reasons[task.id] = "which conflicts"

    def conflicts(self, order: Iterable[Task]) -> list[tuple[Task, Conflicted]]:
        """Return the tasks in conflict, in this order."""
        return [(task, self._conflicts[task.id].conflict) for task in order if task.id in self._conflicts]

    def blocked(self, order: Iterable[Task]) -> list[Blocked]:
        """Return the tasks that wait, in this order."""
        return [self._blocked[task.id] for task in order if task.id in self._blocked]

    def retries(self, order: Sequence[Task]) -> list[Task]:
        """Return the tasks that may go in now: a later task changed what they conflict in, and what waits for them."""
        changed = {name for name, entry in self._conflicts.items() if self._changes(entry)}
        if not changed:
            return []
        waiting = {name for name, blocked in self._blocked.items() if blocked.error is None}
        return [task for task in order if task.id in changed | waiting]

    def _changes(self, entry: OpenConflict) -> bool:
        """Return whether a later step changes a path in conflict, a folder or file in its way, or a moved folder."""
        if not entry.conflict.paths:
            return len(self.steps) > entry.count
        changes = (
            *(self._last_change(path) for path in entry.conflict.paths),
            *(self._changed_below.get(folder, 0) for folder in entry.folders),
        )
        return max(changes) > entry.count

    def _last_change(self, path: str) -> int:
        """Return the number of the last step that changes this path, what is below it, or a file above it; 0: none."""
        above = (self._changed.get(folder, 0) for folder in _folders(path))
        return max(self._changed.get(path, 0), self._changed_below.get(path, 0), *above)

    def _forget(self, task: Task) -> None:
        self._conflicts.pop(task.id, None)
        self._blocked.pop(task.id, None)


def _folders(path: str) -> list[str]:
    """Return the folders above a path, and the top (`.`)."""
    parts = path.split("/")
    return [*("/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)), "."]
