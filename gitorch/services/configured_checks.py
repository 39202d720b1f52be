"""Find the checks that a task's tree must pass, and require that the user trusts them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from gitorch import config as configuration
from gitorch.config import FILE, Layer, LoadedConfig
from gitorch.errors import InvalidInput, NotFound
from gitorch.flow.scheduling import base_choice
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.task import State, Task, base_of
from gitorch.services.workspace import Workspace
from gitorch.storage import trust


def checks_for(workspace: Workspace, task: Task) -> dict[str, str]:
    """Return the commands that check a task's tree, by name: those of its base commit's file, and the task's own.

    An agent cannot weaken its own checks: its changes to that file have no effect.
    """
    commit = base_of(task)
    if commit not in workspace.base_checks:
        workspace.base_checks[commit] = checks_at(workspace.repository, workspace.loaded, commit)
    return workspace.base_checks[commit] | task.spec.checks


def checks_at(repository: Repository, loaded: LoadedConfig, commit: Oid) -> dict[str, str]:
    """Return the checks of a commit's configuration file and of the user's own files.

    Raises `Refused` for untrusted commands.
    """
    layer = _file_at(repository, commit)
    if layer is None:
        return loaded.config.checks
    checks = {"checks": layer.settings.get("checks", {})}
    if checks["checks"]:
        trust.require(repository.common_dir, checks, f"{FILE} of the base commit {commit[:12]}")
    layers = [other for other in loaded.layers if other.origin != FILE]
    position = next((index for index, other in enumerate(loaded.layers) if other.origin == FILE), 0)
    layers.insert(min(position, len(layers)), msgspec.structs.replace(layer, settings=checks))
    return configuration.combine(layers).config.checks


def untrusted_checks(workspace: Workspace) -> dict[Oid, dict[str, Any]]:
    """Return the commits whose checks need trust that the user has not given, with these checks by name.

    They are those on which attempts start or have started, and on which the next merge is checked.
    """
    common = workspace.repository.common_dir
    untrusted: dict[Oid, dict[str, Any]] = {}
    for commit in dict.fromkeys(_bases(workspace)):
        try:
            layer = _file_at(workspace.repository, commit)
        except InvalidInput:  # nothing in it can run; its task says what is wrong with it
            continue
        checks = layer.settings.get("checks", {}) if layer else {}
        if checks and checks not in untrusted.values() and not trust.is_trusted(common, {"checks": checks}):
            untrusted[commit] = checks
    return untrusted


def _bases(workspace: Workspace) -> Iterator[Oid]:
    repository, config, tasks = workspace.repository, workspace.config, workspace.tasks
    yield from (oid for oid in repository.object_ids("HEAD^{commit}", branch_ref(config.integration)) if oid)
    tried: set[tuple[str, ...]] = set()
    for task in tasks.values():
        if task.commits is not None and task.state not in (State.MERGED, State.REJECTED, State.CANCELLED):
            yield task.commits.base
        # many tasks start on the same commit
        origin = (task.spec.base_ref, task.spec.base_branch, *task.spec.after)
        if task.state is State.QUEUED and origin not in tried:
            tried.add(origin)
            with contextlib.suppress(NotFound):  # `run` reports a base that does not exist
                start = base_choice.choose_base(repository, config, task, tasks)
                yield from (start.commit,) if isinstance(start, base_choice.Base) else ()


def _file_at(repository: Repository, commit: Oid) -> Layer | None:
    content = repository.file(commit, FILE)
    origin = f"{commit[:12]}:{FILE}"
    return None if content is None else configuration.parse(configuration.decode(content, origin), origin)


def require_trust(workspace: Workspace) -> None:
    """Raise `Refused` if the repository's own files contain untrusted commands."""
    trust.require(workspace.repository.common_dir, trust.commands(workspace.loaded.layers), FILE)
