"""One open repository with its configuration, tasks and operation log, which all use cases receive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from gitorch.config import Config, LoadedConfig
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.model.roles import Role
from gitorch.services.roles import load_roles
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store, Tasks


class Workspace(msgspec.Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """An open repository, made by `open_workspace`; every function of the API takes one.

    `folder` holds the state that all worktrees of the repository share. `base_checks` caches the checks of base
    commits.
    """

    repository: Repository
    loaded: LoadedConfig
    environment: Mapping[str, str]
    folder: Path
    store: Store
    operations: OperationLog
    base_checks: dict[Oid, dict[str, str]] = msgspec.field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.loaded.config

    @property
    def tasks(self) -> Tasks:
        """The current tasks, including changes by other processes."""
        return self.store.current()

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The roles of this repository by name, read once."""
        return load_roles(self.repository, self.loaded)
