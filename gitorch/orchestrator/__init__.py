"""The library: wires the stages together and remembers what they give back; no logic of its own."""

from gitorch.orchestrator.adopting import Adopting
from gitorch.orchestrator.merging import Engine
from gitorch.orchestrator.night import RunSummary, at_clock
from gitorch.orchestrator.planning import Planning
from gitorch.orchestrator.sharing import Sharing
from gitorch.orchestrator.undoing import Undoing
from gitorch.orchestrator.upkeep import Upkeep
from gitorch.orchestrator.workspace import load_config


class Orchestrator(Planning, Adopting, Sharing, Upkeep, Undoing):
    """All that can be done in one repository."""


__all__ = ["Engine", "Orchestrator", "RunSummary", "at_clock", "load_config"]
