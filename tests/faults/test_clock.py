"""A whole run by the clock: `--at` and `--until`, with a clock that jumps over the hours in between."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.clock import jumping_clock
from tests.support.cli import SECONDS, Cli, Pipe, does, saved

HOUR = 3600


def test_a_run_begins_at_its_time_and_starts_nothing_after_its_end(repository_folder: Path, tmp_path: Path) -> None:
    """Until then, `status` says when that is; the hours of waiting are not the run's."""
    cli = Cli(repository_folder)
    cli.fresh_interpreter = True  # a fork keeps its clock
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(does("One", f"echo > {ready}", f"read w < {gate}", saved("1.txt", "x")), does("Two", saved("2.txt", "x")))
    now = datetime.now(UTC)
    at, until = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (3, 5))
    with jumping_clock(tmp_path) as clock:
        if clock is None:
            pytest.skip("there is no C compiler")
        command = [sys.executable, "-m", "gitorch", "run", "-m", "1", "--at", at, "--until", until]
        pipe = subprocess.PIPE
        with (
            subprocess.Popen(
                command,
                cwd=cli.folder,
                env={**cli.environment, **clock.environment},
                stdout=pipe,
                stderr=pipe,
                text=True,
            ) as run,
            ExitStack() as stack,
        ):
            stack.callback(run.kill)  # where an assertion fails
            assert run.stderr is not None
            while f"starts at {at}" not in (said := run.stderr.readline()):
                assert said, "it ended early"
            while "run starts at" not in (page := cli("status").text):
                assert run.poll() is None
            assert at in page
            assert cli.states() == {"one": "queued", "two": "queued"}
            clock.jump(3 * HOUR + 60)
            ready.line()
            assert "run in progress" in cli("status", env=clock.environment).text
            clock.jump(5 * HOUR + 60)
            gate.say()
            run.communicate(timeout=SECONDS)
        assert run.returncode == 8
    assert cli.states() == {"one": "finished", "two": "queued"}
    (night,) = cli.json("history")["runs"]
    assert 1.5 * HOUR < night["seconds"] < 2.5 * HOUR
