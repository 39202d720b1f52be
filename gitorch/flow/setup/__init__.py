"""Find out how a repository is tested, and write its configuration file."""

from __future__ import annotations

from gitorch.flow.setup import javascript, python, table
from gitorch.flow.setup.template import check_names, config_text
from gitorch.flow.setup.values import CheckTrial, ProjectFiles, Setup, Toolchain, Trial

__all__ = ["CheckTrial", "ProjectFiles", "Setup", "Toolchain", "Trial", "check_names", "config_text", "detect"]


def detect(files: ProjectFiles) -> list[Toolchain]:
    """Return the toolchains of a project; a `make test` only where nothing else tests it."""
    toolchains = [*python.detect(files), *javascript.detect(files), *table.detect(files)]
    tested = any("test" in setup.checks for one in toolchains if not one.is_last_resort for setup in one.setups)
    return [toolchain for toolchain in toolchains if not (tested and toolchain.is_last_resort)]
