"""Attacks with git hooks alone (`sandbox.mode = "off"`): they refuse what goes through git and moves a ref."""

from __future__ import annotations

import os
from pathlib import Path

from gitorch.git.worktrees import restore
from gitorch.rooms.fenced_worktree import FencedWorktree
from tests.attacks.catalogue import ATTACKS
from tests.attacks.test_box import use_git, victims, world_of
from tests.support import sandbox

STOPPED = ("R01", "R03", "R04", "R05", "R10", "R12", "R13", "R14", "R15", "R23", "R24", "R25", "R26", "W03")
"""All others hit as in a bare worktree: by a path, by git's settings, or by what no hook of git sees."""


def test_attacks_that_hooks_stop(repository_folder: Path) -> None:
    """None of them moves a ref of the user, and each refusal is recorded."""
    spec = sandbox.spec_for(repository_folder)
    world = world_of(repository_folder, spec.directory, os.getpid())
    nothing = dict.fromkeys(("PORT", "SOCKET", "ABSTRACT"), "0")
    room = sandbox.room_in(repository_folder, mode="off")
    assert isinstance(room, FencedWorktree)
    hits, told = [], 0
    for attack in ATTACKS:
        if attack.name.split()[0] in STOPPED:
            world.said = sandbox.act(room, attack.script, **victims(world, nothing)).stdout
            restore(room.repository, room.worktree, branch="orch/t", commit=spec.base)
            hits += [attack.name] if attack.hit(world) else []
            told = len(room.refusals())
    assert hits == []
    assert told >= len(STOPPED) // 2
    use_git(repository_folder)
    assert not world.proof()
