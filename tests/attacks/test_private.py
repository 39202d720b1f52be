"""Attacks from a private repository without a sandbox: what an agent does through its own git reaches nobody else's.

Everything that names a folder of the user by its path hits, as where nobody guards (`test_control`), and is told.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gitorch.git.repository import Repository
from gitorch.rooms.private_worktree import PrivateWorktree
from gitorch.rooms.protocol import Collected, Rejected
from tests.attacks.catalogue import nights
from tests.attacks.night import spend, verify
from tests.attacks.services import Services
from tests.attacks.victims import Victims
from tests.support import sandbox
from tests.support.git import git


@pytest.mark.parametrize("night", sorted(nights()))
def test_attacks_hit_only_by_path_and_are_told(night: str, victims: Victims, services: Services) -> None:
    """Each attack comes to its fate in the table, and `run` names each hit."""
    with services.with_process() as service:
        world = msgspec.structs.replace(victims.restore(), service=service)
        attacks = nights()[night]
        verify(world, "private", attacks, spend(world, "private", attacks))


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


@pytest.mark.parametrize("replacement", ["", "; touch {}", "; ln -s /etc {}"])
def test_a_repository_that_is_gone_brings_nothing_home(repository_folder: Path, replacement: str) -> None:
    """An agent that removed its own repository, perhaps with all of gitorch's state, is rejected with words."""
    room = sandbox.room_in(repository_folder, mode="private")
    assert isinstance(room, PrivateWorktree)
    place = room.private.git_dir
    sandbox.act(room, f"echo a > a; rm -rf {place}{replacement.format(place)}")
    assert room.collect("work") == Rejected("the agent's repository is damaged: it has no HEAD")
    assert git("log", "-1", "--format=%s", "orch/t", cwd=repository_folder) != "work"
