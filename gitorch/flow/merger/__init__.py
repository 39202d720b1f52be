"""Approved tasks onto the integration branch: planned in memory, checked, and then published in one step."""

from gitorch.flow.merger.checking import verified
from gitorch.flow.merger.into import Kept, Rebased, Target, find_target, rebase, unapproved
from gitorch.flow.merger.plan import choose, plan
from gitorch.flow.merger.proof import faults
from gitorch.flow.merger.publishing import Said, moves
from gitorch.flow.merger.resolving import Resolver, answers, outcomes
from gitorch.flow.merger.squash import Squasher
from gitorch.flow.merger.trials import Check
from gitorch.flow.merger.values import MERGEABLE, Clash, Failure, Held, Plan, Progress, Step, Tell, silent
from gitorch.flow.merger.wrapping import unwrapped

__all__ = [
    "MERGEABLE",
    "Check",
    "Clash",
    "Failure",
    "Held",
    "Kept",
    "Plan",
    "Progress",
    "Rebased",
    "Resolver",
    "Said",
    "Squasher",
    "Step",
    "Target",
    "Tell",
    "answers",
    "choose",
    "faults",
    "find_target",
    "moves",
    "outcomes",
    "plan",
    "rebase",
    "silent",
    "unapproved",
    "unwrapped",
    "verified",
]
