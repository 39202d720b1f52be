"""Open a repository: find it, read its configuration, and finish interrupted operations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch import config as configuration
from gitorch import services
from gitorch.config import FILE, PERSONAL, LoadedConfig
from gitorch.git import lockfiles
from gitorch.git.repository import Repository
from gitorch.model import naming
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
        store=Store(folder, lambda: services.rebuild.tasks_from_branches(repository, loaded.config)),
        operations=OperationLog(folder / "operations.jsonl"),
    )
    # each loads a tenth of what `status` does, and almost never has work
    if lockfiles.may_be_stale(repository) or not workspace.operations.is_settled():
        workspace.store.notices.extend(services.recovery.recover(workspace))
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
    tasks = services.rebuild.known_tasks(workspace.repository, workspace.config)
    if tasks:
        store = workspace.store
        store.save(tasks)
        store.snapshot()
        store.notices.append(f"{workspace.folder} was missing: rebuilt {len(tasks)} tasks from branches and notes")
