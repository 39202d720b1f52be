"""Make what runs the commands that generate files (`[merge.regenerate]`)."""

from __future__ import annotations

from gitorch.flow.merge.resolution.regenerate import Regenerator
from gitorch.services.agents import run_context
from gitorch.services.configured_checks import require_trust
from gitorch.services.workspace import Workspace


def open_regenerator(workspace: Workspace) -> Regenerator:
    """Return what runs the commands; raise `Refused` if the user has not agreed to them."""
    require_trust(workspace)
    return Regenerator(run_context(workspace))
