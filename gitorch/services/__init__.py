"""The library: wires the stages together and remembers what they give back; no logic of its own."""

from gitorch.services.adopt import Adopting
from gitorch.services.context import Sharing
from gitorch.services.maintenance import Upkeep
from gitorch.services.merge_branches import Engine
from gitorch.services.plan import Planning
from gitorch.services.run import RunSummary, at_clock
from gitorch.services.undo import Undoing
from gitorch.services.workspace import load_config


class Orchestrator(Planning, Adopting, Sharing, Upkeep, Undoing):
    """All that can be done in one repository."""


__all__ = ["Engine", "Orchestrator", "RunSummary", "at_clock", "load_config"]
