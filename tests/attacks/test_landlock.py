"""Attacks under Landlock: what it cannot stop hits, and is told; everything else misses, as from a box.

A third of them, with those that hit, is made each time, and all with GITORCH_ATTACKS=1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gitorch.rooms.protocol import Collected
from tests.attacks.attack import Attack
from tests.attacks.catalogue import ATTACKS
from tests.attacks.night import spend, verify
from tests.attacks.services import Services
from tests.attacks.test_box import KINDS, RUINOUS
from tests.attacks.victims import Victims
from tests.support import sandbox
from tests.support.git import git

ALL = bool(os.environ.get("GITORCH_ATTACKS"))
HITS = {"C08", "C50", "C51", "C65", "G24", "G25", "S14", "W11"}
"""Permissions of the user's files, seven times, and the arguments of other processes."""


def test_what_landlock_cannot_stop() -> None:
    """An attack that hits is added here on purpose, and to docs/security.md."""
    assert {attack.id for attack in ATTACKS if attack.landlock == "hits"} == HITS


@pytest.mark.parametrize("kind", KINDS)
def test_attacks_under_landlock(kind: str, victims: Victims, services: Services) -> None:
    """One night for each kind: each attack comes to its fate, and `run` names each hit."""
    attacks = [attack for attack in KINDS[kind] if not attack.ruins]
    chosen = [attack for place, attack in enumerate(attacks) if ALL or place % 3 == 0 or attack.id in HITS]
    _spend(victims, services, chosen)


@pytest.mark.skipif(not ALL, reason="set GITORCH_ATTACKS=1 for all attacks")
@pytest.mark.parametrize("attack", RUINOUS, ids=lambda attack: attack.id)
def test_attacks_under_landlock_that_ruin_the_room(attack: Attack, victims: Victims, services: Services) -> None:
    """The same for those after which an agent's own repository is no use, each in a room of its own."""
    _spend(victims, services, [attack])


def _spend(victims: Victims, services: Services, attacks: Sequence[Attack]) -> None:
    sandbox.require_landlock()
    with services.with_process() as service:
        world = msgspec.structs.replace(victims.restore(), service=service)
        came = spend(world, "landlock", attacks)
        verify(world, "landlock", attacks, came)
    # nothing moved that is not one of the hits
    assert len(came.moved) == len(came.hits - {"S14"}), came.moved


def test_honest_work_succeeds_under_landlock(repository_folder: Path) -> None:
    """The control: edit, add, commit, rebase, stash and branches work, and the commit comes home."""
    room = sandbox.room_in(repository_folder, mode="landlock")
    script = (
        "echo a > a; git add a; git commit -qm a; echo b >> a; git stash -q; git stash pop -q; git commit -qam b;"
        " git branch mine; git tag t1; git log --oneline | wc -l; git gc -q; git status --porcelain; git fsck"
    )
    done = sandbox.act(room, f"set -e; {script}")
    assert (done.returncode, done.stderr) == (0, "")
    result = room.collect("work")
    assert isinstance(result, Collected)
    assert result.commits == 2
    assert git("log", "-1", "--format=%s", "orch/t", cwd=repository_folder) == "b"
    assert (room.directory / ".git").read_text().endswith(".git/worktrees/t\n")
