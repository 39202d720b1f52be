"""Plan a merge of approved tasks in memory, check it, and publish it in one step."""

from gitorch.flow.merge.check_runner import TreeCheck
from gitorch.flow.merge.checks import verified
from gitorch.flow.merge.into import NotRebased, Rebased, Target, find_target, rebase, unapproved
from gitorch.flow.merge.plan import choose, plan
from gitorch.flow.merge.proof import faults
from gitorch.flow.merge.publish import NoteLines, ref_updates
from gitorch.flow.merge.resolve import Resolver, answers, outcomes
from gitorch.flow.merge.squash import Squasher
from gitorch.flow.merge.values import (
    MERGEABLE,
    Blocked,
    Failure,
    MergeConflict,
    MergePlan,
    MergeStep,
    Progress,
    ReportProgress,
    ignore_progress,
)
from gitorch.flow.merge.wrapper import unwrapped

__all__ = [
    "MERGEABLE",
    "Blocked",
    "Failure",
    "MergeConflict",
    "MergePlan",
    "MergeStep",
    "NotRebased",
    "NoteLines",
    "Progress",
    "Rebased",
    "ReportProgress",
    "Resolver",
    "Squasher",
    "Target",
    "TreeCheck",
    "answers",
    "choose",
    "faults",
    "find_target",
    "ignore_progress",
    "outcomes",
    "plan",
    "rebase",
    "ref_updates",
    "unapproved",
    "unwrapped",
    "verified",
]
