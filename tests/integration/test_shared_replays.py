"""Each replay is made once: for the order, for partners, for checks that blame, and for resolutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.flow.merge import merge_replayer
from gitorch.flow.merge.checks import verify_plan
from gitorch.git.repository import Repository
from gitorch.model.generators import drain
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed
from gitorch.services.merging.merge import plan_for
from gitorch.services.merging.merge_base import merge_inputs
from gitorch.services.merging.resolving import ResolveJob, resolve
from tests.property.conftest import empty_repository
from tests.property.test_resolved_merges import opened
from tests.support.clashing import write_night
from tests.support.word_checks import WordChecks


class Counting(MemoryReplayer):
    """A replayer that counts what it is asked to replay."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.counts: Counter[tuple[CommitRange, Oid]] = Counter()

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        self.counts[commits, onto] += 1
        return super().replay(commits, onto)


@pytest.fixture
def repositories(tmp_path: Path) -> Iterator[Repository]:
    return (empty_repository(tmp_path / f"night-{number}") for number in range(4))


def test_no_replay_is_made_twice(repositories: Iterator[Repository]) -> None:
    """Over a plan with conflicts, checks that fail, and a search for resolutions."""
    resolutions = failures = 0
    for seed, repository in enumerate(repositories, start=416):
        assert repository.work_tree is not None
        night = write_night(repository.work_tree, seed)
        workspace = opened(repository.work_tree, night, "auto")
        checks = WordChecks(workspace.repository, night)
        with Counting(workspace.repository) as engine:
            replayer = merge_replayer(engine, tasks=workspace.tasks.values())
            plan = plan_for(merge_inputs(workspace), replayer, [*workspace.tasks.values()])
            plan = drain(verify_plan(replayer, workspace.tasks, plan, checks.check, "batch"), lambda _: None)
            job = ResolveJob(
                repository=workspace.repository, loaded=workspace.loaded, tasks=dict(workspace.tasks), reorder=True
            )
            plan = drain(resolve(job, replayer, plan, checks), lambda _: None)
            assert {*engine.counts.values()} == {1}, [key for key, count in engine.counts.items() if count > 1]
        resolutions += len(plan.resolutions)
        failures += len(plan.failures)
    assert resolutions
    assert failures
