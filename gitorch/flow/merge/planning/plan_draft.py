"""A merge plan in the making: which tasks are in so far, which conflict, which wait, and which to try again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from gitorch.flow.merge.values import Blocked, MergeStep
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task
from gitorch.replay import Conflicted

_OURS = 2
"""The number of the stage that what is in has."""


class OpenConflict(msgspec.Struct, frozen=True):
    """A conflict of a task with the first `count` steps.

    `may_be_moved` says that git may have looked for a moved file or folder. What it finds depends on all files that are
    there: a file that is new can be taken for the moved one, or be again where one was moved away.
    """

    count: int
    conflict: Conflicted
    may_be_moved: bool


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
        # a path at which the task changes something, and something is: no file was moved to it or away from it
        present = {stage.path for stage in conflict.stages if stage.number == _OURS}
        may_be_moved = not present.intersection(paths).issuperset(conflict.paths)
        self._conflicts[task.id] = OpenConflict(len(self.steps), conflict, may_be_moved)
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
        """Return whether a later step may end a conflict: any if files may be moved, or one that changes its paths."""
        if entry.may_be_moved or not entry.conflict.paths:
            return len(self.steps) > entry.count
        return max(map(self._last_change, entry.conflict.paths)) > entry.count

    def _last_change(self, path: str) -> int:
        """Return the number of the last step that changes this path, what is in its way, or its attributes; 0: none."""
        above = (self._changed.get(folder, 0) for folder in _folders(path))
        attributes = (self._changed.get(name, 0) for name in _attribute_files(path))
        return max(self._changed.get(path, 0), self._changed_below.get(path, 0), *above, *attributes)

    def _forget(self, task: Task) -> None:
        self._conflicts.pop(task.id, None)
        self._blocked.pop(task.id, None)


def _folders(path: str) -> list[str]:
    """Return the folders above a path, and the top (`.`)."""
    parts = path.split("/")
    return [*("/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)), "."]


def _attribute_files(path: str) -> list[str]:
    """Return the files that may say how this path is merged."""
    return [f"{folder}/.gitattributes".removeprefix("./") for folder in _folders(path)]
