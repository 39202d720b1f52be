"""Verify with git that the change of each commit that a merge drops is present already.

The answers come from git and not from the replays of the plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from gitorch.flow.merge.planning.squashed_upstream import is_landed, upstream_patch_ids
from gitorch.flow.merge.values import MergePlan, MergeStep
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, MemoryReplayer, Replayed


def wrongly_dropped(repository: Repository, plan: MergePlan, parents: Mapping[Oid, tuple[Oid, ...]]) -> Iterator[str]:
    """Yield a fault for each dropped commit whose change is missing; the plan's commits are in the repository.

    A commit may be dropped if git finds its patch in the history before its task, or if merging it at its position
    changes nothing; the first ones of a task also if they are there together. Commits without a parent are skipped,
    and so are tasks with resolved conflicts or squashed commits: they have no such position.
    """
    onto = plan.onto
    for step in plan.steps:
        if step.replayed.dropped and not step.replayed.resolved and not _is_squashed(step):
            yield from _wrongly_dropped(repository, step, onto, parents)
        onto = step.replayed.tip


def _is_squashed(step: MergeStep) -> bool:
    new = [new for _, new in step.replayed.pairs]
    return len(set(new)) < len(new)


def _wrongly_dropped(
    repository: Repository, step: MergeStep, onto: Oid, parents: Mapping[Oid, tuple[Oid, ...]]
) -> Iterator[str]:
    options = ("--reverse", "--topo-order", "--no-merges", "--right-only", "--cherry-mark")
    listing = repository.git("rev-list", *options, f"{onto}...{step.task.tip}", f"^{step.task.base}").text
    replayed, dropped = dict(step.replayed.pairs), frozenset(step.replayed.dropped)
    tip = onto
    with MemoryReplayer(repository, whole_trees=True) as replayer:
        own = [Oid(line.lstrip("=+")) for line in listing.split()]
        together = _landed_together(repository, replayer, step, onto, own)
        for line in listing.split():
            oid = Oid(line.lstrip("=+"))
            tip = replayed.get(oid, tip)
            if oid not in dropped - together or line.startswith("=") or not parents.get(oid):
                continue
            result = replayer.replay(CommitRange(parents[oid][0], oid), tip)
            if not isinstance(result, Replayed) or result.tip != tip:
                yield f"{step.task.id}: its commit {oid[:12]} was dropped, and its change is missing"


def _landed_together(
    repository: Repository, replayer: MemoryReplayer, step: MergeStep, onto: Oid, own_commits: Sequence[Oid]
) -> frozenset[Oid]:
    """Return the longest first part of a task that was dropped, and is there as one change."""
    dropped = [*itertools.takewhile(lambda oid: oid in step.replayed.dropped, own_commits)]
    if len(dropped) < 2 or step.task.base is None:
        return frozenset()
    upstream = upstream_patch_ids(repository, step.task.base, onto)
    for count in range(len(dropped), 1, -1):
        if is_landed(replayer, CommitRange(step.task.base, dropped[count - 1]), onto, upstream):
            return frozenset(dropped[:count])
    return frozenset()
