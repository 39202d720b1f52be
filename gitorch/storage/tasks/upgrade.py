"""Tasks as earlier versions wrote them: what became of a rebased task was known by the first words of its reason."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.task import Restack, State, Task

FIELDS = ("reason", "restack")
"""What an upgrade changes."""

_REBASED = "rebased on the new work of "
_NOT_REBASED, _WHAT_FOLLOWS = "not rebased: ", "; a new attempt starts on the new work"
_DONE = (State.FINISHED, State.APPROVED)


def upgraded(task: Task) -> Task:
    """Return a task with the fields of today: the same one if it has them already."""
    if task.restack is not None or task.state not in _DONE or not task.reason.startswith((_REBASED, _NOT_REBASED)):
        return task
    return msgspec.structs.replace(task, reason="", restack=_restack(task.reason))


def _restack(reason: str) -> Restack:
    if reason.startswith(_NOT_REBASED):
        return Restack(problem=reason.removeprefix(_NOT_REBASED).removesuffix(_WHAT_FOLLOWS))
    return Restack(dependencies=tuple(map(TaskId, reason.removeprefix(_REBASED).split(", "))))
