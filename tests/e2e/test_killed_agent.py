"""An agent that the kernel or a person kills did not fail: it is retried as often as `run.retries` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does, saved


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


@pytest.mark.parametrize("mode", ["off", "private", "bwrap"])
def test_a_check_that_did_not_finish_says_why(repository_folder: Path, mode: str) -> None:
    """Killed, out of time, or not prepared: the pages and JSON name the cause."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE=mode)
    cli.configure(
        f'{OBEDIENT}[prepare]\nrun = ["test ! -e broken"]\n'
        '[checks]\nt = "test ! -e killed || kill -9 $$"\ns = "test ! -e slow || sleep 60"\n'
        '[run]\ntask_timeout = "4s"\nfix_checks = 0\n'
    )
    cli.queue(*(does(name.title(), saved(name, "x")) for name in ("killed", "slow", "broken")))
    cli.run(ok=6)
    failures = {
        task: [result.get("failure", "") for result in answer["checks"]["results"]]
        for task, answer in cli.tasks().items()
    }
    assert failures["killed"] == ["killed by signal 9 (Killed)", ""]
    assert failures["slow"] == ["", "timed out"]
    assert failures["broken"] == ["prepare failed with exit code 1: test ! -e broken"]
    assert "killed by signal 9 (Killed)" in cli("task", "killed").text
    assert "timed out" in cli("review", "slow").text
    assert "prepare failed with exit code 1" in cli("task", "broken").text
