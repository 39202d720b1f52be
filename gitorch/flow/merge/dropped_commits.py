"""Whether each commit that a merge leaves out is there already: asked of git anew, and not of the plan's engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitorch.flow.merge.values import Plan, Step
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import Own, Replayed, Replayer


def unfounded(repository: Repository, made: Plan, parents: Mapping[Oid, tuple[Oid, ...]]) -> Iterator[str]:
    """Yield what is wrong with the dropped commits of a plan that is in the repository.

    A commit may be dropped when git finds its patch in what was there before its task, or when git's own merge of it
    changes nothing where it would stand. A commit without a parent, and a task whose conflict was solved or whose
    commits were squashed, is not asked about: there is no such place.
    """
    before = made.onto
    for step in made.steps:
        if step.replayed.dropped and not step.replayed.resolved and not _is_squashed(step):
            yield from _unfounded(repository, step, before, parents)
        before = step.replayed.tip


def _is_squashed(step: Step) -> bool:
    made = [new for _, new in step.replayed.pairs]
    return len(set(made)) < len(made)


def _unfounded(
    repository: Repository, step: Step, before: Oid, parents: Mapping[Oid, tuple[Oid, ...]]
) -> Iterator[str]:
    words = ("rev-list", "--reverse", "--topo-order", "--no-merges", "--right-only", "--cherry-mark")
    own = repository.git(*words, f"{before}...{step.task.tip}", f"^{step.task.base}").text.split()
    stands = dict(step.replayed.pairs)
    here = before
    with Replayer(repository, whole=True) as replayer:
        for line in own:
            oid = Oid(line.lstrip("=+"))
            here = stands.get(oid, here)
            if oid not in step.replayed.dropped or line.startswith("=") or not parents.get(oid):
                continue
            done = replayer.replay(Own(parents[oid][0], oid), here)
            if not isinstance(done, Replayed) or done.tip != here:
                yield f"{step.task.id}: its commit {oid[:12]} was left out, and what it changes is not there"
