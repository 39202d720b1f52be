"""Plan a merge of approved tasks in memory, check it, and publish it in one step."""

from gitorch.flow.merge.into import MergeTarget, NotRebased, Rebased, find_target, rebase, unapproved
from gitorch.flow.merge.planning.plan import choose, plan
from gitorch.flow.merge.publishing.proof import faults
from gitorch.flow.merge.publishing.publish import NoteLines, ref_updates
from gitorch.flow.merge.publishing.signatures import sign_plan, unsigned_commits
from gitorch.flow.merge.resolution.remembered import Sides
from gitorch.flow.merge.resolution.replayer import MergeReplayer, merge_replayer
from gitorch.flow.merge.resolution.resolver import (
    ConflictFile,
    KnownResolutions,
    Proposal,
    Resolver,
    resolved_files,
    resolving_commits,
)
from gitorch.flow.merge.values import (
    MERGEABLE,
    Blocked,
    Failure,
    MergeConflict,
    MergePlan,
    MergeStep,
    Progress,
    ReportProgress,
    TreeCheck,
    ignore_progress,
)

__all__ = [
    "MERGEABLE",
    "Blocked",
    "ConflictFile",
    "Failure",
    "KnownResolutions",
    "MergeConflict",
    "MergePlan",
    "MergeReplayer",
    "MergeStep",
    "MergeTarget",
    "NotRebased",
    "NoteLines",
    "Progress",
    "Proposal",
    "Rebased",
    "ReportProgress",
    "Resolver",
    "Sides",
    "TreeCheck",
    "choose",
    "faults",
    "find_target",
    "ignore_progress",
    "merge_replayer",
    "plan",
    "rebase",
    "ref_updates",
    "resolved_files",
    "resolving_commits",
    "sign_plan",
    "unapproved",
    "unsigned_commits",
]
