"""All attacks from a box: none of them hits, at once or when the user works with git afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.rooms.protocol import Collected
from tests.attacks.attack import Attack
from tests.attacks.catalogue import ATTACKS
from tests.attacks.night import spend, verify
from tests.attacks.services import Services
from tests.attacks.table import checkout, code, processes, repository, secrets, state
from tests.attacks.victims import Victims
from tests.support import sandbox
from tests.support.git import git

KINDS = {
    "repository": repository.ATTACKS,
    "checkout": checkout.ATTACKS,
    "code": code.ATTACKS,
    "secrets": secrets.ATTACKS,
    "state": state.ATTACKS,
    "processes": processes.ATTACKS,
}
RUINOUS = [attack for attack in ATTACKS if attack.ruins]


def test_the_table_is_whole() -> None:
    """Each attack has an id of its own, and there are many with a control that must hit."""
    assert sorted(attack.id for kind in KINDS.values() for attack in kind) == sorted({one.id for one in ATTACKS})
    assert sum(attack.certain for attack in ATTACKS) > 350


@pytest.mark.parametrize("kind", KINDS)
def test_attacks_miss_from_a_box(kind: str, victims: Victims, services: Services) -> None:
    """One night for each kind: nothing of it reaches the user, and nothing of the user's has moved."""
    _spend(victims, services, [attack for attack in KINDS[kind] if not attack.ruins])


@pytest.mark.parametrize("attack", RUINOUS, ids=lambda attack: attack.id)
def test_attacks_miss_that_ruin_the_room(attack: Attack, victims: Victims, services: Services) -> None:
    """The same for those after which an agent's own repository is no use, each in a room of its own."""
    _spend(victims, services, [attack])


def _spend(victims: Victims, services: Services, attacks: Sequence[Attack]) -> None:
    sandbox.require()
    with services.with_process() as service:
        world = msgspec.structs.replace(victims.restore(), service=service)
        came = spend(world, "bwrap", attacks)
        verify(world, "bwrap", attacks, came)
    assert came.moved == []
    assert "no sandbox" not in came.answer.stderr
    git("fsck", "--no-dangling", cwd=world.repo)


def test_honest_work_succeeds_in_the_same_box(repository_folder: Path) -> None:
    """The control of the box: edit, add, commit, rebase, stash and branches work, and the commit comes home."""
    worktree = sandbox.spec_for(repository_folder).directory
    room = sandbox.room_in(repository_folder)
    script = (
        "echo a > a; git add a; git commit -qm a; echo b >> a; git stash -q; git stash pop -q; git commit -qam b;"
        " git branch mine; git tag t1; git log --oneline | wc -l; git gc -q; git status --porcelain; git fsck"
    )
    done = sandbox.act(room, f"set -e; {script}")
    assert (done.returncode, done.stderr) == (0, "")
    result = room.collect("work")
    assert isinstance(result, Collected)
    assert result.commits == 2
    assert linked_worktrees.find(Repository.discover(repository_folder), worktree) is not None
    assert git("log", "-1", "--format=%s", "orch/t", cwd=repository_folder) == "b"
