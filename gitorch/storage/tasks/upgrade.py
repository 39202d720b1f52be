"""Tasks as earlier versions wrote them: some things were known by the first words of a reason."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.task import ReasonKind, Restack, State, Task

FIELDS = ("reason", "reason_kind", "restack")
"""What an upgrade changes."""

_REBASED = "rebased on the new work of "
_NOT_REBASED, _WHAT_FOLLOWS = "not rebased: ", "; a new attempt starts on the new work"
_DONE = (State.FINISHED, State.APPROVED)
_KINDS = (
    (State.WAITING, ReasonKind.ASKED),
    (State.WAITING, ReasonKind.ANSWERED),
    (State.APPROVED, ReasonKind.LEFT_OUT),
)
"""The kinds of reason that were known by their first words, and the state in which they mattered."""


def upgraded(task: Task) -> Task:
    """Return a task with the fields of today: the same one if it has them already."""
    for state, kind in _KINDS:
        words = f"{kind.words}: "
        if task.state is state and task.reason_kind is None and task.reason.startswith(words):
            return msgspec.structs.replace(task, reason=task.reason.removeprefix(words), reason_kind=kind)
    if task.restack is not None or task.state not in _DONE or not task.reason.startswith((_REBASED, _NOT_REBASED)):
        return task
    return msgspec.structs.replace(task, reason="", restack=_restack(task.reason))


def as_before(task: Task) -> Task:
    """Return a task with its kind of reason in the words of the reason, as earlier versions wrote it."""
    return msgspec.structs.replace(task, reason=task.full_reason, reason_kind=None)


def _restack(reason: str) -> Restack:
    if reason.startswith(_NOT_REBASED):
        return Restack(problem=reason.removeprefix(_NOT_REBASED).removesuffix(_WHAT_FOLLOWS))
    return Restack(dependencies=tuple(map(TaskId, reason.removeprefix(_REBASED).split(", "))))
