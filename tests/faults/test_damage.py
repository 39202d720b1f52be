"""Every file of the state, damaged in every way: no command has a traceback, and none loses what it could keep.

A sample by default. `GITORCH_DAMAGES=9999 pytest tests/faults/test_damage.py` takes every file, damage and command;
`GITORCH_SEED` chooses another sample.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.damaged import COMMANDS, DAMAGES, World, world
from tests.support.git import git

_CASES = int(os.environ.get("GITORCH_DAMAGES") or 12)
_SEED = int(os.environ.get("GITORCH_SEED") or 1)
_EXITS = (0, 2, 3, 4, 5, 6, 7)
"""Never 1, which is a bug: each refusal has a code of its own."""


@pytest.fixture
def damaged(repository_folder: Path) -> World:
    return world(repository_folder)


def test_no_damage_is_a_bug(damaged: World) -> None:
    """Each command answers, or refuses with its own exit code; the user's checkout and the branches are as before."""
    cases = [(file, damage, command) for file in damaged.files() for damage in DAMAGES for command in COMMANDS]
    chosen = random.Random(_SEED).sample(cases, min(_CASES, len(cases)))
    top = damaged.cli.folder
    tips = git("for-each-ref", "refs/heads", cwd=top)
    failures = []
    for file, damage, command in chosen:
        DAMAGES[damage](damaged.state / file)
        try:
            answer = damaged.do(command)
        except AssertionError as error:  # a traceback, or an answer that its schema refuses
            failures.append((file, damage, command, str(error)[-300:]))
        else:
            if answer.code not in _EXITS:
                failures.append((file, damage, command, answer.stderr[-300:]))
            elif command not in ("run", "approve") and git("for-each-ref", "refs/heads", cwd=top) != tips:
                failures.append((file, damage, command, "branches moved"))
        damaged.kept.restore()
    print(f"{len(chosen)} of {len(cases)} cases")
    assert failures == []
