"""The commits whose notes hold the viewed marks of a task: known even when its branch is rewritten by hand."""

from __future__ import annotations

import re
from pathlib import Path

from gitorch.model.naming import Oid, TaskId
from gitorch.storage import atomic

_FOLDER = "reviewed"
_MAX = 50
_OID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def add(folder: Path, task: TaskId, tip: Oid) -> None:
    """Remember a commit of a task; the oldest are forgotten."""
    tips = read(folder, task)
    if tip in tips:
        return
    files = folder / _FOLDER
    files.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{entry}\n" for entry in [*tips, tip][-_MAX:])
    atomic.replace(files / task, content.encode(), durable=False, concurrent=True)


def read(folder: Path, task: TaskId) -> list[Oid]:
    """Return the remembered commits of a task, oldest first."""
    return [Oid(word.decode()) for word in _OID.findall(atomic.read_or_empty(folder / _FOLDER / task))]
