"""Fields of a later version in the task file: known as such, and written again with what this version changes."""

from __future__ import annotations

import typing
from datetime import UTC, datetime

import msgspec
import tomli

from gitorch.model.table import from_table, to_table
from gitorch.model.task import Task, TaskSpec
from gitorch.storage.tasks import blocks
from gitorch.storage.tasks.later_fields import TABLES, later_fields, with_later_fields

TABLE = {
    "id": "one",
    "number": 1,
    "title": "One",
    "prompt": "Do it",
    "checks": {"any-name": "true"},
    "attempt": {"number": 2, "agent": "sh", "mood": "good"},
    "commits": {"base": "a" * 40, "signed": True},
    "wishes": [{"what": "more"}, {"what": "all"}],
    "due": datetime(2026, 11, 30, tzinfo=UTC),
}
LATER = {
    "attempt": {"number": 2, "mood": "good"},
    "commits": {"signed": True},
    "wishes": TABLE["wishes"],
    "due": TABLE["due"],
}


def test_every_table_inside_a_task_is_known() -> None:
    """A new one belongs into the list, or fields of later versions would be lost from it."""
    inner = {}
    for struct in (Task, TaskSpec):
        for name, kind in typing.get_type_hints(struct).items():
            structs = [
                part for part in typing.get_args(kind) if isinstance(part, type) and issubclass(part, msgspec.Struct)
            ]
            if structs and typing.get_origin(kind) is not tuple:
                inner[name] = structs[0]
    assert inner == TABLES


def test_a_task_that_is_written_again_keeps_them() -> None:
    """At the top and in the tables inside, whatever this version has changed."""
    assert later_fields(TABLE) == LATER
    task = msgspec.structs.replace(from_table(TABLE), reason="changed")
    (again,) = tomli.loads(blocks.render(task, LATER).decode())["task"]
    assert again == {**TABLE, "reason": "changed"}
    assert later_fields(to_table(task)) == {}


def test_those_of_a_table_that_is_gone_or_another_are_dropped() -> None:
    """What was said of an attempt is not true of the next one."""
    assert with_later_fields({"id": "one"}, LATER) == {"id": "one", "wishes": LATER["wishes"], "due": LATER["due"]}
    other = {"attempt": {"number": 3, "agent": "sh"}}
    assert with_later_fields(other, LATER)["attempt"] == other["attempt"]
