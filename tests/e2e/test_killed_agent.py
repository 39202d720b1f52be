"""An agent that the kernel or a person kills did not fail: it is retried as often as `run.retries` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, does, saved


@pytest.mark.parametrize("how", ["kill -9 $PPID; sleep 60", "sh -c 'kill -9 $$'"])
def test_a_killed_agent_is_retried(repository_folder: Path, tmp_path: Path, how: str) -> None:
    """The retry keeps the work, and the reason of the first end is said when there is no retry left."""
    cli = Cli(repository_folder)
    once = f"[ -e '{tmp_path}/once' ] || {{ echo part > part.txt; touch '{tmp_path}/once'; {how}; }}"
    cli.queue(does("Work", once, saved("rest.txt", "rest")), does("Always", how))
    cli.run(ok=6)
    tasks = cli.tasks()
    assert (tasks["work"]["state"], tasks["work"]["attempts"]) == ("finished", 2)
    assert (tasks["always"]["state"], tasks["always"]["attempts"]) == ("failed", 2)
    assert "killed by signal 9" in tasks["always"]["reason"]
