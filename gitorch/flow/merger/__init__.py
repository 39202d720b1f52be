"""Approved tasks onto the integration branch: planned in memory, checked, and then published in one step."""

from gitorch.flow.merger.checking import verified
from gitorch.flow.merger.plan import choose, plan
from gitorch.flow.merger.proof import faults
from gitorch.flow.merger.publishing import Said, moves
from gitorch.flow.merger.trials import Check
from gitorch.flow.merger.values import MERGEABLE, Clash, Failure, Held, Plan, Progress, Step

__all__ = [
    "MERGEABLE",
    "Check",
    "Clash",
    "Failure",
    "Held",
    "Plan",
    "Progress",
    "Said",
    "Step",
    "choose",
    "faults",
    "moves",
    "plan",
    "verified",
]
