"""What the board reads while a run goes on: files and a snapshot of the tasks, never the task store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gitorch import services
from gitorch.services.open import open_workspace
from tests.bench.status import thousand


class ForbiddenStore:
    """A task store that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the store was asked for {name}")


def test_a_live_reader_does_not_use_the_store(repository_folder: Path) -> None:
    """It reads activity and forecast for the tasks that it is given, in a workspace whose store nobody may touch."""
    tasks = {task.id: task for task in thousand(10)}
    workspace = msgspec.structs.replace(open_workspace(repository_folder), store=cast("Any", ForbiddenStore()))
    with pytest.raises(AssertionError, match="the store was asked"):
        _ = workspace.tasks
    reader = services.watch.live_reader(workspace)
    assert reader.read(tasks) == ({}, ((), None), {})
    assert not any(value is workspace or value is workspace.store for value in msgspec.structs.astuple(reader))
