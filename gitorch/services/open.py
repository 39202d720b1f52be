"""Open a repository: find it, read its configuration, and finish interrupted operations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch import config as configuration
from gitorch.config import FILE, PERSONAL, LoadedConfig
from gitorch.git.repository import Repository
from gitorch.model import naming, noted_task
from gitorch.services.rebuild import tasks_from_branches
from gitorch.services.recovery import recover
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store


def open_workspace(
    start: Path | str = ".", settings: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Workspace:
    """Open the repository that contains a folder.

    `settings` are `key = value` lines that override all files. Raises `NotFound` outside a repository, and
    `InvalidInput` for an invalid configuration.
    """
    repository = Repository.discover(Path(start))
    environment = os.environ if environment is None else environment
    loaded = load_config(repository, settings, environment)
    folder = repository.common_dir / "gitorch"
    workspace = Workspace(
        repository=repository,
        loaded=loaded,
        environment=environment,
        folder=folder,
        store=Store(folder, lambda: tasks_from_branches(repository, loaded.config)),
        operations=OperationLog(folder / "operations.jsonl"),
    )
    workspace.store.notices.extend(recover(workspace))
    _rebuild_if_missing(workspace)
    return workspace


def load_config(repository: Repository, assignments: Sequence[str], environment: Mapping[str, str]) -> LoadedConfig:
    """Read all layers of a repository's configuration."""
    files = [configuration.user_file()]
    if repository.work_tree is not None:
        files += [repository.work_tree / FILE, repository.work_tree / PERSONAL]
    layers = [layer for path in files if (layer := configuration.parse_file(path))]
    layers += [configuration.from_environment(environment), configuration.from_assignments(assignments)]
    return configuration.combine(layers)


def _rebuild_if_missing(workspace: Workspace) -> None:
    """Rebuild the state if its folder is missing although notes show that it existed."""
    if workspace.folder.exists() or not workspace.repository.refs(naming.NOTES):
        return
    rebuilt = tasks_from_branches(workspace.repository, workspace.config)
    tasks = [task for task in rebuilt if task.reason != noted_task.UNKNOWN_END]
    if tasks:
        store = workspace.store
        store.save(tasks)
        store.snapshot()
        store.notices.append(f"{workspace.folder} was missing: rebuilt {len(tasks)} tasks from branches and notes")
