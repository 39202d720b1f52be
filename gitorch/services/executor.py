"""Choose the executor: only this module knows which one runs the programs of a repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gitorch import services
from gitorch.executors.ancestors import enclosing_keys
from gitorch.executors.local import LocalExecutor
from gitorch.executors.process_tree import become_subreaper
from gitorch.executors.protocol import Executor
from gitorch.model.naming import task_of_key
from gitorch.services.workspace import Workspace


def executor_of(workspace: Workspace) -> Executor:
    """Return the executor of a repository; all instances share the same executions."""
    local = LocalExecutor(workspace.folder)
    return services.remote.routed_executor(workspace, local) if services.remote.is_on(workspace) else local


def leashed_executor(folder: Path) -> Executor:
    """Return an executor whose programs are killed when this process ends, however that happens."""
    leash, _ = os.pipe()  # the other end stays open in this process alone, as long as it lives
    return LocalExecutor(folder, leash=leash)


def enclosing_task(folder: Path) -> str:
    """Return the task of the outermost attempt that this process runs in; empty if there is none.

    `folder` is the state folder of the repository.
    """
    tasks = [task for key in enclosing_keys(folder) if (task := task_of_key(key))]
    return tasks[-1] if tasks else ""


def keep_orphans() -> None:
    """Make the processes of a killed supervisor children of this one, so that they stay below an execution (Linux)."""
    if sys.platform == "linux":
        become_subreaper()
