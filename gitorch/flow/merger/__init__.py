"""Approved tasks onto the integration branch: planned in memory, verified, and then published in one step."""

from gitorch.flow.merger.checking import Check, verified
from gitorch.flow.merger.plan import MERGEABLE, Clash, Failure, Held, Plan, Progress, Step, changed_paths, choose, plan
from gitorch.flow.merger.publishing import moves

__all__ = [
    "MERGEABLE",
    "Check",
    "Clash",
    "Failure",
    "Held",
    "Plan",
    "Progress",
    "Step",
    "changed_paths",
    "choose",
    "moves",
    "plan",
    "verified",
]
