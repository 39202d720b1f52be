"""kill -9 in the middle of a merge that publishes a resolution: it is all there, with its note, or nothing is."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

import gitorch
from gitorch.model.naming import NOTES
from gitorch.model.note import ResolvedNote, parse_lines
from gitorch.model.task import State
from gitorch.services.open import open_workspace
from gitorch.storage import trust
from tests.faults.killing import killed, killed_at, put_back, steps_of
from tests.faults.test_kill import chance
from tests.support.git import git, run
from tests.support.resolvable import resolvable
from tests.support.scale import scaled

__all__ = ["chance"]

METHODS = ("total", "clear")


class Morning:
    """Two tasks in conflict, of which both go in with a resolution; its proof is known already."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.top, self.before = repository, folder / "before"
        library = resolvable(repository, *METHODS)
        trust.agree(library.repository.common_dir, trust.commands(library.loaded.layers))
        self.library = open_workspace(repository)
        self.plan = gitorch.plan_merge(self.library, resolved=True)
        assert [step.task.id for step in self.plan.steps] == [*METHODS]
        assert [entry.proven for entry in self.plan.resolutions] == [True]
        self.tree = self.library.repository.tree(self.plan.tip)
        shutil.copytree(self.top, self.before, symlinks=True)

    def publish(self) -> None:
        gitorch.publish_merge(self.library, self.plan)

    def merge(self) -> None:
        library = open_workspace(self.top)
        gitorch.publish_merge(library, gitorch.plan_merge(library, resolved=True))

    def reset(self) -> None:
        put_back(self.top, self.before)

    def happened(self) -> bool:
        """Return whether it has happened, after the next command; branch, notes and tasks must agree."""
        library = open_workspace(self.top)
        assert library.operations.is_settled()
        states = {task.state for task in library.tasks.values()}
        git("fsck", "--connectivity-only", "--no-dangling", cwd=self.top)
        if states == {State.APPROVED}:
            assert run("rev-parse", "--verify", "-q", "orch/integration", cwd=self.top, ok=(1,)).stdout == b""
            assert run("rev-parse", "--verify", "-q", NOTES, cwd=self.top, ok=(1,)).stdout == b""
            return False
        assert states == {State.MERGED}
        assert git("rev-parse", "orch/integration^{tree}", cwd=self.top) == self.tree
        noted = git("notes", "--ref=gitorch", "show", "orch/integration", cwd=self.top).encode()
        (resolved,) = [line.note for line in parse_lines(noted) if isinstance(line.note, ResolvedNote)]
        assert resolved.tree == self.tree
        assert resolved.inputs
        assert git("rev-parse", "orch/integration:shop.py", cwd=self.top) == resolved.inputs[0].result
        return True


@pytest.fixture
def morning(tmp_path: Path, repository_folder: Path) -> Morning:
    return Morning(tmp_path, repository_folder)


def test_killed_while_it_publishes(morning: Morning) -> None:
    """Before one of its steps outwards: the next command finds the old state or the new one, whole."""
    steps = steps_of(morning.publish)
    assert morning.happened()
    outcomes = Counter[bool]()
    for step in range(1, steps + 1, max(1, steps // scaled(6))):
        morning.reset()
        assert killed_at(morning.publish, step)
        outcomes[morning.happened()] += 1
    print(dict(outcomes))
    assert outcomes[False]


def test_killed_at_any_moment(morning: Morning, chance: random.Random) -> None:
    """Also while it plans, resolves and proves, with its git; a second merge completes it."""
    begun = time.perf_counter()
    morning.merge()
    seconds = time.perf_counter() - begun
    outcomes = Counter[bool]()
    for _ in range(scaled(3)):
        morning.reset()
        killed(morning.merge, chance.uniform(0.1, 1.1) * seconds)
        outcomes[happened := morning.happened()] += 1
        if not happened:
            morning.merge()
            assert morning.happened()
    print(dict(outcomes))
