"""A checkout of a merged tree in a box of its own: where checks of merges run, without an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import SandboxSettings
from gitorch.rooms.box_access import BoxPaths, Confinement, Program
from gitorch.rooms.environment_variables import without_credentials
from gitorch.rooms.protocol import Command
from gitorch.rooms.sandbox import host_rules


class BoxedFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A `CheckSite` whose commands run in a box, with one environment and the configured hosts."""

    settings: SandboxSettings
    boxes: Confinement
    paths: BoxPaths
    env: Mapping[str, str]
    directory: Path

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a command in the box, without credentials."""
        allowed = host_rules.site_rules(self.settings.hosts)
        env = without_credentials(self.env)
        program = Program(argv=argv, env=env, allowed=allowed, folder=self.directory, hints=True)
        return self.boxes.command(self.paths, program)

    def in_folder(self, folder: Path) -> BoxedFolder:
        """Return the same box, with another folder of its checkout as the working folder."""
        return msgspec.structs.replace(self, directory=folder)
