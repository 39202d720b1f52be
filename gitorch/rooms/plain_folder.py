"""A folder with a tree in it and no agent: where checks of merged trees run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.rooms.base import Command
from gitorch.rooms.environment import without_credentials


class PlainFolder(msgspec.Struct, frozen=True):
    """A `Site` whose commands run as they are, in the folder, with one environment."""

    directory: Path
    env: Mapping[str, str]

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return the command without credentials."""
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def in_folder(self, folder: Path) -> PlainFolder:
        """Return the same site, with another folder as the working folder."""
        return PlainFolder(folder, self.env)
