"""Which tip of a task's branch a reviewer was shown last: one sealed file for each task."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.model.naming import Oid, TaskId
from gitorch.storage import atomic, seals

_FOLDER = "shown"


class _Shown(msgspec.Struct, frozen=True):
    task: str
    tip: str


def record(folder: Path, task: TaskId, tip: Oid) -> None:
    """Record in the state folder that a reviewer was shown this tip."""
    if read(folder, task) == tip:
        return
    files = folder / _FOLDER
    files.mkdir(parents=True, exist_ok=True)
    line = seals.seal(msgspec.json.encode(_Shown(task, tip)), _key())
    atomic.replace(files / f"{task}.json", line, durable=False, concurrent=True)


def read(folder: Path, task: TaskId) -> Oid | None:
    """Return the tip that a reviewer was shown last; None if there is none, or the record is not gitorch's."""
    sealed = atomic.read_or_empty(folder / _FOLDER / f"{task}.json")
    content = seals.unseal(sealed, _key()) if sealed else None
    shown = typed.from_json(content, _Shown) if content else None
    return Oid(shown.tip) if shown and shown.task == task else None


def _key() -> bytes:
    return seals.derived_key("shown")
