"""Tasks as earlier versions wrote them: fields had other names, and some were the first words of a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.table import Table
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


_RENAMED = {"role_why": "role_reason", "from_ref": "base_ref", "tried": "failed_conflict_id"}
_EARLIER = frozenset({*_RENAMED, "base", "tip", "standoff", "contested"})


def with_names_of_today(table: Mapping[str, Any], before: Mapping[str, Any] = {}) -> Mapping[str, Any]:
    """Return a task's table with the fields of today: the same one if it has no others.

    It may be a part that is changed of a table `before`, which has the fields of today.
    """
    if _EARLIER.isdisjoint(table):
        return table
    renamed: Table = {
        _RENAMED.get(name, name): value for name, value in table.items() if name not in _EARLIER - {*_RENAMED}
    }
    if "commits" not in table and not {"base", "tip"}.isdisjoint(table):
        renamed["commits"] = _commits(table, before.get("commits") or {})
    if "conflict" not in table and not {"standoff", "contested"}.isdisjoint(table):
        renamed["conflict"] = _conflict(table)
    return renamed


def _commits(table: Mapping[str, Any], before: Mapping[str, Any]) -> Table | None:
    commits = {name: table.get(name, before.get(name)) for name in ("base", "tip")}
    return {name: commit for name, commit in commits.items() if commit} if commits["base"] else None


def _conflict(table: Mapping[str, Any]) -> Table | None:
    """Return the conflict that the next attempt has to solve; None if the table does not say all of it."""
    contested, commit = table.get("contested"), table.get("standoff")
    if not (contested and commit):
        return None
    fields = {name: value for name, value in contested.items() if name != "about"}
    return {"conflict_id": contested.get("about", ""), "conflict_commit": commit, **fields}


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
