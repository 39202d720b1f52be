"""Which checks a task's tree must pass, and whether the user has agreed to run them."""

from __future__ import annotations

import msgspec

from gitorch import config as configuration
from gitorch.config import FILE
from gitorch.model.naming import Oid
from gitorch.model.task import Task, base_of
from gitorch.services.workspace import Workspace
from gitorch.storage import trust


def checks_for(workspace: Workspace, task: Task) -> dict[str, str]:
    """Return the commands that check a task's tree, by name: those of its base commit's file, and the task's own.

    An agent cannot weaken its own checks: what it changes in that file does not count.
    """
    base = base_of(task)
    text = _base_config(workspace, base)
    if text is None:
        return workspace.config.checks | task.spec.checks
    layer = configuration.parse(configuration.decode(text, FILE), FILE)
    checks = {"checks": layer.settings.get("checks", {})}
    if checks["checks"]:
        trust.require(workspace.repository.common_dir, checks, f"{FILE} of the base commit {base[:12]}")
    layers = [other for other in workspace.loaded.layers if other.origin != FILE]
    position = next((index for index, other in enumerate(workspace.loaded.layers) if other.origin == FILE), 0)
    layers.insert(min(position, len(layers)), msgspec.structs.replace(layer, settings=checks))
    return configuration.combine(layers).config.checks | task.spec.checks


def require_trust(workspace: Workspace) -> None:
    """Raise `Refused` when the repository's own files name commands that nobody has agreed to."""
    trust.require(workspace.repository.common_dir, trust.commands(workspace.loaded.layers), FILE)


def _base_config(workspace: Workspace, base: Oid) -> bytes | None:
    """Return the configuration file of a commit, which never changes."""
    if base not in workspace.base_configs:
        workspace.base_configs[base] = workspace.repository.file(base, FILE)
    return workspace.base_configs[base]
