"""Tests in real boxes: skipped where bubblewrap cannot make one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitorch import services
from gitorch.model.naming import Oid
from gitorch.rooms.protocol import Command, Room, RoomSpec
from gitorch.rooms.sandbox import probing
from gitorch.services.open import open_workspace
from tests.support.git import git

CONFIG = """\
[agents.scripted]
kind = "command"
command = ["true"]
"""


def require() -> None:
    """Skip the test where this machine cannot make a box; in CI, fail instead."""
    problem = probing.support().problem
    if problem and os.environ.get("GITORCH_TEST_REQUIRE_SANDBOX"):
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)


def require_landlock() -> None:
    """Skip the test where Landlock does not confine programs; in CI, fail instead."""
    problem = probing.landlock_problem()
    if problem and os.environ.get("GITORCH_TEST_REQUIRE_SANDBOX"):
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)


def spec_for(folder: Path, base: str = "HEAD") -> RoomSpec:
    """Return what the room of a first attempt in a repository is for."""
    common = Path(git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=folder))
    return RoomSpec(
        task="t",
        attempt=1,
        agent="scripted",
        branch="orch/t",
        base=Oid(git("rev-parse", base, cwd=folder)),
        tip=None,
        directory=folder.parent / f"{folder.name}.orch" / "t",
        folder=common / "gitorch" / "attempts" / "t" / "1",
    )


def room_in(folder: Path, settings: str = "", base: str = "HEAD", mode: str = "bwrap") -> Room:
    """Make a room for a first attempt in a repository, by default a box; `settings` are lines of `[sandbox]`."""
    if mode == "bwrap":
        require()
    if mode == "landlock":
        require_landlock()
    text = f"[sandbox]\n{settings}\n{CONFIG}"
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "gitorch" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text, "utf-8")
    workspace = open_workspace(folder, environment={**os.environ, "GITORCH_SANDBOX_MODE": mode})
    services.sandbox.require_sandbox(workspace)
    return services.agents.run_context(workspace).rooms.create(spec_for(folder, base))


def execute(command: Command, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a command of a room to its end."""
    return subprocess.run(
        command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def act(room: Room, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script as the agent of a room."""
    return execute(room.agent_command(("/bin/sh", "-c", script), env))
