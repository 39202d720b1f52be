"""What `run` looks at before an agent starts: the base, its preparation, and the agents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import commit


def test_the_base_is_prepared_and_checked_before_an_agent_starts(repository_folder: Path) -> None:
    """A base that cannot be prepared stops the run; a red one is said, once per tree; nothing else is in the way."""
    cli = Cli(repository_folder, GITORCH_RUN_TRY_BASE="true")
    log = cli.folder.parent / "checked.log"
    commit(cli.folder, "Add a check\n", {".orchestrate.toml": f"[checks]\ntest = 'echo x >> {log}; test -e fixed'\n"})
    cli("config", "trust", "--yes")
    (cli.folder / ".env").write_text("A=1\n", "utf-8")
    (cli.folder / ".git" / "info" / "exclude").write_text(".env\n", "utf-8")
    cli.queue(does("Fix it", "env | grep -c . > count.txt", saved("fixed", "yes"), id="fix"))

    cli.configure(OBEDIENT + "[prepare]\nrun = ['echo no network >&2; exit 3']\n")
    refused = cli.error("run", exit=4)
    assert refused["code"] == "prepare"
    assert "no network" in refused["why"]
    cli.configure(OBEDIENT + "[prepare]\ncopy = ['.secrets']\n")
    assert cli.error("run", exit=4)["code"] == "prepare-copy"
    assert cli.states() == {"fix": "queued"}
    assert not log.exists()

    cli.configure(OBEDIENT)
    unready = cli.error("run", "-c", "agents.sh.command=['/nonexistent/sh']", exit=4)
    assert unready["code"] == "agent-missing"
    assert not log.exists()
    answer = cli.run("--json")
    preflight = answer.stream[-1]["preflight"]
    warnings = [line["what"] for line in preflight["lines"] if line["level"] == "warning"]
    assert warnings[0].startswith("worktrees will lack .env")
    assert warnings[1].startswith("checks fail on main ")
    assert preflight["forecast"] is None
    assert "Preflight" in answer.stderr
    assert cli.states() == {"fix": "finished"}

    checked = len(log.read_text("utf-8").splitlines())
    cli.queue(does("Another", saved("fixed", "too"), id="other"))
    assert "checks fail on main" in cli.run("--until", "00:00", "-c", "run.max_unreviewed=1", ok=8).stderr
    assert len(log.read_text("utf-8").splitlines()) == checked


def test_a_budget_that_does_not_count_an_agent_is_said(repository_folder: Path) -> None:
    """Of a command, in words that hold for it: a price helps nothing where no tokens are known."""
    cli = Cli(repository_folder)
    cli.queue(does("Work", saved("a.txt", "a")))
    lines = cli.run("--json", "--budget", "5").stream[-1]["preflight"]["lines"]
    (told,) = [line for line in lines if "budget" in line["what"]]
    assert told["what"] == "the budget does not count sh, unless its result file says what it spent"
    assert not told["fix"]


@pytest.mark.parametrize("name", ["GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"])
def test_a_date_that_git_cannot_read_stops_a_run(repository_folder: Path, name: str) -> None:
    """Before an agent starts: with such a date git makes no commit, and moves no branch."""
    cli = Cli(repository_folder)
    cli.queue(does("Work", saved("a.txt", "a")))
    error = cli.error("run", exit=4, env={name: "@0"})
    assert (error["code"], error["fix"]) == ("date-invalid", [f"unset {name}"])
    assert f"git cannot read the date in {name}: @0" in cli("doctor", ok=4, env={name: "@0"}).text
    assert cli.states() == {"work": "queued"}
    cli.run(env={name: "@1764500000 +0000"})
    assert cli.states() == {"work": "finished"}
