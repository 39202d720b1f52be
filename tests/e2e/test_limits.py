"""Limits of memory and processes, through the command line: the attempt fails with words, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sandbox
from tests.support.cli import Cli, does, left_behind

# a bomb of a known size: one without an end would take the machine of the test with it
BOMB = "python3 -c 'import os, signal; [os.fork() for _ in range(7)]; signal.pause()'"
HOG = "python3 -c 'held = bytearray(400_000_000); import signal; signal.pause()'"


@pytest.mark.parametrize("mode", ["bwrap", "landlock", "private"])
@pytest.mark.parametrize(
    ("script", "setting", "reason"),
    [
        (BOMB, "sandbox.processes=60", "had more than 60 processes"),
        (HOG, "sandbox.memory=200MB", "used more than 200 MB of memory"),
    ],
    ids=["bomb", "hog"],
)
def test_an_agent_over_its_limits_is_ended(
    repository_folder: Path, mode: str, script: str, setting: str, reason: str
) -> None:
    """What it did before is kept on its branch or in a rescue point, as after any failure."""
    {"bwrap": sandbox.require, "landlock": sandbox.require_landlock}.get(mode, lambda: None)()
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE=mode)
    cli.queue(does("Take too much", "echo x > x; git add x; git commit -qm x", script))
    cli.run("-c", setting, ok=6)
    (task,) = cli.tasks().values()
    assert (task["state"], task["reason"]) == ("failed", reason)
    assert reason in cli("status").text
    assert left_behind(repository_folder) == []
