"""kill -9 is a normal way to stop: whatever dies, the next command finds a true state and goes on from it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.night import Night

KILLS = int(os.environ.get("GITORCH_KILLS") or 30)
SEED = int(os.environ.get("GITORCH_SEED") or random.randrange(1_000_000))
NIGHT_SECONDS = 1.4


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that the environment variable GITORCH_SEED makes again."""
    print(f"GITORCH_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


def test_every_task_finishes_once_however_often_the_orchestrator_is_killed(tmp_path: Path, chance: random.Random) -> None:
    """After kills at random moments the next run ends with every task done once, nothing lost and nothing left."""
    left = KILLS
    nights = 0
    while left:
        nights += 1
        night = Night(tmp_path / str(nights), chance.randint(10, 16), chance)
        while left and night.survives(chance.uniform(0.1, NIGHT_SECONDS), with_git=chance.random() < 0.5):
            left -= 1
        night.finish()
        night.verify()
    print(f"{KILLS} kills in {nights} nights")
