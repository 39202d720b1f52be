"""Approved tasks onto the integration branch: planned in memory, checked, and then published in one step."""

from gitorch.flow.merge.checks import verified
from gitorch.flow.merge.into import Kept, Rebased, Target, find_target, rebase, unapproved
from gitorch.flow.merge.plan import choose, plan
from gitorch.flow.merge.proof import faults
from gitorch.flow.merge.publish import Said, moves
from gitorch.flow.merge.resolve import Resolver, answers, outcomes
from gitorch.flow.merge.squash import Squasher
from gitorch.flow.merge.trials import Check
from gitorch.flow.merge.values import MERGEABLE, Clash, Failure, Held, Plan, Progress, Step, Tell, silent
from gitorch.flow.merge.wrapper import unwrapped

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
