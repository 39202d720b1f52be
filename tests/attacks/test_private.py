"""Attacks from a private repository without a sandbox: what an agent does through its own git reaches nobody else's.

Everything that names a folder of the user by its path hits here as it does in a bare worktree, whose control is in
`test_box`: the room's own words say so.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.model.naming import branch_ref
from gitorch.rooms.base import Collected
from gitorch.rooms.private_worktree import PrivateWorktree
from gitorch.services.protection import NO_SANDBOX_PRIVATE, Protection, warnings
from tests.attacks.catalogue import ATTACKS, Attack
from tests.attacks.test_box import use_git, victims, world_of
from tests.support import sandbox
from tests.support.git import git

STOPPED = (
    *("R01", "R03", "R04", "R05", "R06", "R07", "R10", "R12", "R13", "R14", "R15", "R19", "R23", "R24", "R25", "R26"),
    *("X01", "X03", "X05", "X07", "X07b", "X10", "X18", "S07", "S08", "S15", "S16", "S17", "W03"),
)
"""Attacks that go through the agent's own git."""


def stopped(attack: Attack) -> bool:
    return attack.name.split()[0] in STOPPED


def test_attacks_through_git_miss(repository_folder: Path) -> None:
    """In one repository after another, none of them reaches a ref, an object, a setting or a file of the user."""
    spec = sandbox.spec_for(repository_folder)
    world = world_of(repository_folder, spec.directory, os.getpid())
    nothing = dict.fromkeys(("PORT", "SOCKET", "ABSTRACT"), "0")
    room = sandbox.room_in(repository_folder, mode="private")
    assert isinstance(room, PrivateWorktree)
    branch, hits = branch_ref("orch/t"), []
    for attack in filter(stopped, ATTACKS):
        room.private.create(room.repository, room.store, room.worktree, branch, spec.base, refuses_pushes=True)
        world.said = sandbox.act(room, attack.script, **victims(world, nothing)).stdout
        room.collect("work")
        use_git(spec.directory)
        hits += [attack.name] if attack.hit(world) or world.proof() else []
    assert hits == []
    use_git(repository_folder)
    assert not world.proof()
    git("fsck", "--no-dangling", cwd=repository_folder)


def test_the_others_are_said() -> None:
    """Whoever runs agents in such a room is told that it is no wall."""
    assert warnings(Protection(mode="private", network="on")) == (NO_SANDBOX_PRIVATE,)
    assert len([attack for attack in ATTACKS if stopped(attack)]) == len(STOPPED)


@pytest.mark.parametrize("script", ["rm .git", "rm .git; git init -q .", "rm .git; ln -s /etc .git", "echo x > .git"])
def test_the_git_file_leads_home_afterwards(repository_folder: Path, script: str) -> None:
    """Whatever the agent did to it, the worktree is the user's again, and git of the user reads none of the agent's."""
    room = sandbox.room_in(repository_folder, mode="private")
    assert isinstance(room, PrivateWorktree)
    assert "rooms/t/1/git" in sandbox.act(room, "cat .git").stdout
    sandbox.act(room, f"echo a > a; git add a; git commit -qm a; git tag mine; {script}")
    assert isinstance(room.collect("work"), Collected)
    assert (room.directory / ".git").read_text() == f"gitdir: {room.worktree.admin}\n"
    assert git("log", "-1", "--format=%s", cwd=room.directory) == "a"
    assert git("status", "--porcelain", cwd=room.directory) == ""
    assert git("tag", "--list", "mine", cwd=repository_folder) == ""
    assert Repository.discover(room.directory).common_dir == repository_folder / ".git"


def test_packed_refs_come_home(repository_folder: Path) -> None:
    """An agent may pack its refs and its objects: gitorch reads both without opening its repository."""
    room = sandbox.room_in(repository_folder, mode="private")
    script = "echo a > a; git add a; git commit -qm a; git pack-refs --all --prune; git gc -q; git config core.x y"
    assert sandbox.act(room, f"set -e; {script}").stderr == ""
    tip = room.head()
    result = room.collect("work")
    assert isinstance(result, Collected)
    assert result.tip == tip
    assert git("rev-parse", "orch/t", cwd=repository_folder) == tip
