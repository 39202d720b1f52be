"""The difference of two plans: added, removed and changed tasks, field by field."""

from __future__ import annotations

from typing import Any

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.plan.values import PlannedTask, TaskPlan


class FieldChange(msgspec.Struct, frozen=True):
    """A field of a task that is in both plans, before and after."""

    task: TaskId
    field: str
    before: Any
    after: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The changes between two plans; falsy if there are none. `reordered`: the common tasks have another order."""

    added: tuple[PlannedTask, ...] = ()
    removed: tuple[PlannedTask, ...] = ()
    changed: tuple[FieldChange, ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.reordered)


def difference(before: TaskPlan, after: TaskPlan) -> Difference:
    """Compare two plans, task by task of the same id."""
    old, new = before.by_id, after.by_id
    return Difference(
        added=tuple(task for task in after.tasks if task.id not in old),
        removed=tuple(task for task in before.tasks if task.id not in new),
        changed=tuple(
            FieldChange(name, field, getattr(old[name], field), getattr(new[name], field))
            for name in old
            if name in new
            for field in PlannedTask.__struct_fields__
            if _compared(old[name], field) != _compared(new[name], field)
        ),
        reordered=[name for name in old if name in new] != [name for name in new if name in old],
    )


def _compared(task: PlannedTask, field: str) -> Any:
    """Return a field's value; a set if its order has no meaning."""
    value = getattr(task, field)
    return frozenset(value) if field in ("after", "paths") else value
