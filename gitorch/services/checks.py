"""Find the checks that a task's tree must pass, and require that the user trusts them."""

from __future__ import annotations

import msgspec

from gitorch import config as configuration
from gitorch.config import FILE, LoadedConfig
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.model.task import Task, base_of
from gitorch.services.workspace import Workspace
from gitorch.storage import trust


def checks_for(workspace: Workspace, task: Task) -> dict[str, str]:
    """Return the commands that check a task's tree, by name: those of its base commit's file, and the task's own.

    An agent cannot weaken its own checks: its changes to that file have no effect.
    """
    base = base_of(task)
    if base not in workspace.base_checks:
        workspace.base_checks[base] = checks_at(workspace.repository, workspace.loaded, base)
    return workspace.base_checks[base] | task.spec.checks


def checks_at(repository: Repository, loaded: LoadedConfig, commit: Oid) -> dict[str, str]:
    """Return the checks of a commit's configuration file and of the user's own files.

    Raises `Refused` for untrusted commands.
    """
    text = repository.file(commit, FILE)
    if text is None:
        return loaded.config.checks
    layer = configuration.parse(configuration.decode(text, FILE), FILE)
    checks = {"checks": layer.settings.get("checks", {})}
    if checks["checks"]:
        trust.require(repository.common_dir, checks, f"{FILE} of the base commit {commit[:12]}")
    layers = [other for other in loaded.layers if other.origin != FILE]
    position = next((index for index, other in enumerate(loaded.layers) if other.origin == FILE), 0)
    layers.insert(min(position, len(layers)), msgspec.structs.replace(layer, settings=checks))
    return configuration.combine(layers).config.checks


def require_trust(workspace: Workspace) -> None:
    """Raise `Refused` if the repository's own files contain untrusted commands."""
    trust.require(workspace.repository.common_dir, trust.commands(workspace.loaded.layers), FILE)
