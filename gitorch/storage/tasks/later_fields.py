"""What a later version of gitorch has written into the task file: it stays there when a task is written again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitorch.model.table import Table
from gitorch.model.task import Attempt, BeforeQuestions, Commits, ConflictRetry, Restack, RivalSpec, Task, TaskSpec

_KNOWN = {*Task.__struct_encode_fields__, *TaskSpec.__struct_encode_fields__}
TABLES: Mapping[str, type[msgspec.Struct]] = {
    "attempt": Attempt,
    "before_questions": BeforeQuestions,
    "commits": Commits,
    "conflict": ConflictRetry,
    "restack": Restack,
    "rival": RivalSpec,
}
"""The fields of a task that are tables with fields of their own."""

_NUMBER = "number"


def later_fields(table: Mapping[str, Any]) -> Table:
    """Return the fields of a task's table that this version does not know, in the tables inside it too.

    Not those of lists of tables: an entry has nothing by which it is found again.
    """
    later = {name: field for name, field in table.items() if name not in _KNOWN}
    for name, kind in TABLES.items():
        inner = table.get(name, {})
        unknown = {key: field for key, field in inner.items() if key not in kind.__struct_encode_fields__}
        if unknown:
            later[name] = unknown if _NUMBER not in inner else {_NUMBER: inner[_NUMBER], **unknown}
    return later


def with_later_fields(table: Table, later: Mapping[str, Any]) -> Table:
    """Return a task's table with such fields; those of a table that is gone, or is of another number, are dropped."""
    added = dict(table)
    for name, field in later.items():
        if name not in TABLES:
            added[name] = field
        elif name in table and table[name].get(_NUMBER) == field.get(_NUMBER):
            added[name] = {**field, **table[name]}
    return added
