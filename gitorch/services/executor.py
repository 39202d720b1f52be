"""The choice of the executor: the only service that knows which one runs the programs of a repository."""

from __future__ import annotations

from gitorch.executors.base import Executor
from gitorch.executors.local import LocalExecutor
from gitorch.services.workspace import Workspace


def executor_of(workspace: Workspace) -> Executor:
    """Return the executor of a repository; all that are returned know the same executions."""
    return LocalExecutor(workspace.folder)
