"""Open a repository: find it, read its configuration, and finish interrupted operations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitorch import config as configuration
from gitorch import services
from gitorch.config import FILE, PERSONAL, Layer, LoadedConfig
from gitorch.git import layout, lockfiles
from gitorch.git.repository import Repository
from gitorch.model import naming
from gitorch.services.workspace import Workspace
from gitorch.storage import notes_tip, sizes
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store


def open_workspace(
    start: Path | str = ".", settings: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Workspace:
    """Open the repository that contains the folder `start`, and finish what a killed command left behind.

    `settings` are `key = value` lines that override all configuration files; `environment` replaces `os.environ`.
    Raises `NotFound` outside a repository, and `InvalidInput` for an invalid configuration.
    """
    repository = Repository.discover(Path(start))
    environment = os.environ if environment is None else environment
    loaded = load_config(repository, settings, environment)
    folder = repository.common_dir / "gitorch"
    store = Store(folder, lambda: services.rebuild.tasks_from_branches(repository, loaded.config))
    workspace = Workspace(
        repository=repository,
        loaded=loaded,
        environment=environment,
        folder=folder,
        store=store,
        operations=OperationLog(folder / "operations.jsonl", store.report_losses),
    )
    store.recall_losses()
    # each loads a tenth of what `status` does, and almost never has work
    if lockfiles.may_be_stale(repository) or not workspace.operations.is_settled():
        workspace.store.notices.extend(services.recovery.recover(workspace))
    _rebuild_if_missing(workspace)
    if folder.exists() and not layout.is_in_place(repository.common_dir):
        services.relocation.notice(workspace)
    if any(sizes.shortened(folder)) or notes_tip.may_be_lost(folder, repository.common_dir):
        services.losses.find(workspace)
    return workspace


def load_config(repository: Repository, assignments: Sequence[str], environment: Mapping[str, str]) -> LoadedConfig:
    """Read all layers of a repository's configuration."""
    layers = [configuration.parse_file(configuration.user_file()), *_repository_layers(repository)]
    layers += [configuration.from_environment(environment), configuration.from_assignments(assignments)]
    return configuration.combine([layer for layer in layers if layer])


def _repository_layers(repository: Repository) -> Iterator[Layer | None]:
    """Yield the layers of a repository's own files: of its checkout, or of HEAD in a bare repository without one."""
    if repository.checkout is not None:
        yield from (configuration.parse_file(repository.checkout / name) for name in (FILE, PERSONAL))
    elif (head := repository.resolve("HEAD")) and (content := repository.file(head, FILE)) is not None:
        yield configuration.parse(configuration.decode(content, FILE), FILE)


def _rebuild_if_missing(workspace: Workspace) -> None:
    """Rebuild the state if its folder is missing although notes show that it existed."""
    if workspace.folder.exists() or not workspace.repository.refs(naming.NOTES):
        return
    tasks = services.rebuild.known_tasks(workspace.repository, workspace.config)
    if tasks:
        store = workspace.store
        store.save(tasks)
        store.snapshot()
        store.report_losses(
            f"{workspace.folder} was missing: rebuilt {len(tasks)} tasks from branches and notes; queued tasks, plans, "
            "logs and earlier operations are lost"
        )
