"""Tasks as flat tables, for files: spec and progress together, by field name.

A person finds `title`, `prompt` and `state` in one place, and two writers can change different fields of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gitorch import typed
from gitorch.model.task import Task, TaskSpec

Table = dict[str, Any]


_PROGRESS = tuple(name for name in Task.__struct_fields__ if name != "spec")


def field_values(task: Task) -> Table:
    """Return all field values by name, including defaults."""
    return {name: getattr(task, name) for name in _PROGRESS} | msgspec.structs.asdict(task.spec)


def to_table(task: Task, builtin_types: tuple[type, ...] = ()) -> Table:
    """Return a task as plain values, without those that are defaults. `builtin_types` are kept as they are."""
    table: Table = msgspec.to_builtins(task, builtin_types=builtin_types)
    spec = table.pop("spec")
    return {"id": table.pop("id"), "number": table.pop("number"), **spec, **table}


def from_table(table: Mapping[str, Any]) -> Task:
    """Return the task of a table; raise `msgspec.ValidationError` if it is invalid."""
    return typed.from_object({**table, "spec": typed.from_object(table, TaskSpec)}, Task)


def from_tables(tables: Sequence[Mapping[str, Any]]) -> list[Task]:
    """Return the tasks of tables, as `from_table` does; the error says which table is wrong."""
    specs = typed.from_object(tables, list[TaskSpec])
    return typed.from_object([{**table, "spec": spec} for table, spec in zip(tables, specs, strict=True)], list[Task])
