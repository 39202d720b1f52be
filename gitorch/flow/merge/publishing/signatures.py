"""Sign the commits of a merge: the last step before it is published, as signatures change commits and no tree."""

from __future__ import annotations

import msgspec

from gitorch.flow.merge.into import Rebased
from gitorch.flow.merge.values import MergePlan
from gitorch.git.repository import Commit, Repository
from gitorch.git.signing import CommitSigner, is_signed
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid
from gitorch.replay import Replayed
from gitorch.replay.commit_bytes import rewrite_commit


def unsigned_commits(repository: Repository, plan: MergePlan) -> int:
    """Return how many of the commits that a plan would publish have no signature; they are in the repository."""
    return sum(not is_signed(commit.raw) for commit in repository.commits(_commits(plan)))


def sign_plan(repository: Repository, signer: CommitSigner, plan: MergePlan) -> MergePlan:
    """Return a plan whose commits are signed; its own are in the repository.

    A commit that is signed and stays where it is keeps its signature. Raises `SetupNeeded` if one cannot be signed.
    """
    new: dict[Oid, Oid] = {}
    for commit in repository.commits(_commits(plan)):
        new[commit.oid] = _signed(repository, signer, commit, new)
    rebased = plan.rebased
    if isinstance(rebased, Rebased) and isinstance(rebased.replayed, Replayed):
        rebased = msgspec.structs.replace(rebased, replayed=_renamed(rebased.replayed, new))
    steps = tuple(
        msgspec.structs.replace(step, replayed=_renamed(step.replayed, new)) if new else step for step in plan.steps
    )
    return msgspec.structs.replace(plan, onto=new.get(plan.onto, plan.onto), rebased=rebased, steps=steps)


def _commits(plan: MergePlan) -> list[Oid]:
    """Return the commits that a plan adds to what is published, oldest first."""
    replays = [step.replayed for step in plan.steps]
    if isinstance(plan.rebased, Rebased) and isinstance(plan.rebased.replayed, Replayed):
        replays.insert(0, plan.rebased.replayed)
    return list(dict.fromkeys(new for replayed in replays for _, new in replayed.pairs))


def _signed(repository: Repository, signer: CommitSigner, commit: Commit, new: dict[Oid, Oid]) -> Oid:
    parents = tuple(new.get(oid, oid) for oid in commit.parents)
    if is_signed(commit.raw) and parents == commit.parents:
        return commit.oid
    committer = repository.committer()
    parent = parents[0] if parents else None
    unsigned = rewrite_commit(commit.raw, commit.tree, parent, committer, repository.commit_settings)
    return unreferenced.store_commit(repository, signer.sign(unsigned))


def _renamed(replayed: Replayed, new: dict[Oid, Oid]) -> Replayed:
    pairs = tuple((old, new.get(oid, oid)) for old, oid in replayed.pairs)
    return msgspec.structs.replace(replayed, tip=new.get(replayed.tip, replayed.tip), pairs=pairs)
