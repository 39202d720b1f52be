"""Open a repository: find it, read its configuration, and finish interrupted operations."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitorch import config as configuration, services
from gitorch.config import FILE, PERSONAL, Layer, LoadedConfig
from gitorch.git import layout, lockfiles
from gitorch.git.repository import Repository, without_effect
from gitorch.model import naming
from gitorch.services.workspace import Workspace
from gitorch.storage import notes_tip, operations, sizes
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
    repository.checkout = _configured_checkout(repository, Path(start))
    environment = os.environ if environment is None else environment
    loaded = load_config(repository, settings, environment)
    folder = repository.common_dir / "gitorch"
    store = Store(folder, lambda: services.recovery.rebuild.tasks_from_branches(repository, loaded.config))
    workspace = Workspace(
        repository=repository,
        loaded=loaded,
        environment=environment,
        folder=folder,
        store=store,
        operations=OperationLog(folder / operations.FILE, store.report_losses),
    )
    store.recall_losses()
    if repository.ignored_variables:
        words = without_effect(repository.ignored_variables)
        store.notices.append(f"{words}, and works in the repository of {start}")
    # each loads a tenth of what `status` does, and almost never has work
    if lockfiles.may_be_stale(repository) or not workspace.operations.is_settled():
        workspace.store.notices.extend(services.recovery.operations.recover(workspace))
    _rebuild_if_missing(workspace)
    if folder.exists() and not layout.is_in_place(repository.common_dir):
        services.recovery.relocation.notice(workspace)
    if any(sizes.shortened(folder)) or notes_tip.may_be_lost(folder, repository.common_dir):
        services.recovery.losses.find(workspace)
    return workspace


def _configured_checkout(repository: Repository, start: Path) -> Path | None:
    """Return the checkout whose configuration counts: the main one or, if it has none, a linked one around `start`."""
    main = repository.checkout
    if main is None or main != repository.work_tree or _is_configured(main):
        return main
    linked = layout.users_worktree(start, repository.common_dir)
    return linked[0].absolute() if linked and _is_configured(linked[0]) else main


def _is_configured(checkout: Path) -> bool:
    return any((checkout / name).exists() for name in (FILE, PERSONAL))


def ignored_files(workspace: Workspace, start: Path) -> list[Path]:
    """Return the configuration files of the user's worktree around a folder that do not count, and say something else.

    Those of the main checkout count.
    """
    linked = layout.users_worktree(start, workspace.repository.common_dir)
    used = workspace.repository.checkout
    if linked is None or used is None:
        return []
    pairs = [(linked[0].absolute() / name, used / name) for name in (FILE, PERSONAL)]
    return [
        file
        for file, counterpart in pairs
        if file.exists() and not (counterpart.exists() and filecmp.cmp(file, counterpart, shallow=False))
    ]


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
    tasks = services.recovery.rebuild.known_tasks(workspace.repository, workspace.config)
    if tasks:
        store = workspace.store
        store.save(tasks)
        store.snapshot()
        count = "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"
        store.report_losses(
            f"{workspace.folder} was missing: rebuilt {count} from branches and notes; queued tasks, plans, logs and "
            "earlier operations are lost"
        )
