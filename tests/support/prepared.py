"""A night that the tests of a file start from: spent once, and put back in the same place for each of them.

Worktrees, seals and logs name folders, so that a copy elsewhere would be another repository.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import foreign, sealed
from tests.support.cli import Cli


class PreparedNight:
    """A repository in a folder with a home of its own, as `spend` left it."""

    def __init__(self, top: Path, template: Path, spend: Callable[[Path], Cli]) -> None:
        self._top, self._kept = top / "night", top / "kept"
        shutil.copytree(template, self._top / "repo", symlinks=True)
        with pytest.MonkeyPatch.context() as patch:
            self._enter(patch)
            self._cli = spend(self._top / "repo")
        shutil.copytree(self._top, self._kept, symlinks=True)

    def restore(self, patch: pytest.MonkeyPatch) -> Cli:
        """Put everything back, make its home the test's, and return the command line as after the night."""
        shutil.rmtree(self._top)
        shutil.copytree(self._kept, self._top, symlinks=True)
        self._enter(patch)
        cli = copy.copy(self._cli)
        cli.__dict__.pop("repository", None)  # it knows folders that are gone
        cli.environment = {**self._cli.environment}
        return cli

    def _enter(self, patch: pytest.MonkeyPatch) -> None:
        for name in filter(foreign, [*os.environ]):
            patch.delenv(name)
        for name, value in sealed(self._top).items():
            patch.setenv(name, value)
