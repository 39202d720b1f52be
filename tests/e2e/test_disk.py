"""The space that a task takes, and what is left: in `task`, `status --json` and for hostile trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.executors.resource_watch import disk_usage
from tests.support.cli import Cli, does

MEGABYTE = 1_000_000


def test_task_and_status_say_what_is_used_and_free(repository_folder: Path) -> None:
    """A worktree that grew says so in JSON, and in words from 100 MB on."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="private")
    cli.queue(
        does("Work", "head -c 3000000 /dev/urandom > large; echo x > x; git add x; git commit -qm x; rm -r large")
    )
    cli.run()
    small = cli.json("task", "work")["disk"]
    assert small["room"] > 0
    assert "Disk" not in cli("task", "work").text
    worktree = Path(cli.tasks()["work"]["worktree"])
    (worktree / "large").write_bytes(b"x" * 120 * MEGABYTE)
    large = cli.json("task", "work")["disk"]
    assert large["worktree"] - small["worktree"] >= 120 * MEGABYTE
    assert "worktree 12" in " ".join(cli("task", "work").text.split())
    # `status` says what the run found out: it looks at no worktree
    assert 0 < cli.tasks()["work"]["attempt"]["disk"] < 100 * MEGABYTE
    disk = cli.json("status", "-c", "run.min_free_disk=3GB")["disk"]
    assert disk["free"] > 0
    assert disk["floor"] == 3_000 * MEGABYTE


def test_what_an_attempt_left_on_the_disk_is_known_afterwards(repository_folder: Path) -> None:
    """Ignored files and all, of the worktree and the room."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="private")
    cli.queue(
        does("Work", "echo big > .gitignore; git add .gitignore; git commit -qm x; head -c 5000000 /dev/zero > big")
    )
    cli.run()
    assert cli.tasks()["work"]["attempt"]["disk"] >= 5 * MEGABYTE


def test_a_look_at_too_many_files_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is unknown then, not wrong."""
    for number in range(20):
        (tmp_path / str(number)).touch()
    ticks = iter(range(100))
    monkeypatch.setattr("gitorch.executors.resource_watch.time.monotonic", lambda: float(next(ticks)))
    assert disk_usage(str(tmp_path), seconds=5.0) is None
