"""Agents that may only read: their answer is the result, and a change is told, in a box and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_night import configured, person
from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git
from tests.support.model_server import ModelRequest, ModelServer, Say, Shell, Turn

_READER = OBEDIENT.rstrip("\n") + '\npermissions = "readonly"\nreadonly_args = []\n'


@pytest.mark.parametrize("mode", ["off", "private"])
def test_an_answer_is_the_result_and_a_change_is_told(mode: str, repository_folder: Path) -> None:
    """Without a box, gitorch cannot prevent a change: the attempt has failed, and what was changed is on the branch."""
    cli = Cli(repository_folder, f'{_READER}[prepare]\nrun = ["echo prepared > left.txt"]\n', GITORCH_SANDBOX_MODE=mode)
    with cli.untouched():
        cli.queue(
            does("Look", "echo 'It reads one file.'; echo; echo 'See README.md.'", id="look"),
            does("Write", "echo x > evil.txt; echo Done.", id="write"),
            does("Commit", "echo x > evil.txt; git add evil.txt; git commit -qm Evil; echo Done.", id="commit"),
            does("Say nothing", "true", id="silent"),
            does("Ask", "echo 'Which of the two do you mean?'", id="ask"),
        )
        run = cli.run(ok=6)
    tasks = cli.tasks()
    assert {name: (task["state"], task["attempt"]["outcome"]) for name, task in tasks.items()} == {
        "look": ("waiting", "answered"),
        "write": ("failed", "refused"),
        "commit": ("failed", "refused"),
        "silent": ("failed", "no changes"),
        "ask": ("waiting", "asked"),
    }
    assert tasks["look"]["reason"] == "answered: It reads one file."
    assert "question" not in tasks["look"]
    for name in ("write", "commit"):
        assert "may only read, but it changed evil.txt" in tasks[name]["reason"]
        assert git("show", f"orch/{name}:evil.txt", cwd=cli.folder) == "x"
    assert "orchestrate task look" in run.text
    assert "It reads one file." in cli("status").text
    assert "See README.md." in cli("task", "look").text
    cli("kill", "look", "ask")
    assert cli.states()["look"] == "cancelled"


def test_in_a_box_nothing_can_be_changed(repository_folder: Path) -> None:
    """The worktree and its repository are read-only, whatever the agent runs; HOME and /tmp are not."""
    sandbox.require()
    cli = Cli(repository_folder, _READER, GITORCH_SANDBOX_MODE="bwrap")
    script = (
        "touch evil.txt && exit 3; git commit -q --allow-empty -m Evil && exit 4; git checkout -q -b evil && exit 5; "
        "rm README.md && exit 6; touch $HOME/mine /tmp/mine; echo It has $(git log --oneline | wc -l) commits."
    )
    cli.queue(does("Try", script, id="try"))
    cli.run()
    assert (
        cli.tasks()["try"]["reason"]
        == f"answered: It has {len(git('log', '--format=%h', cwd=cli.folder).split())} commits."
    )
    assert "permissions readonly: no arguments" in cli("doctor", ok=(0, 4)).text
    (listed,) = [row for row in cli.json("agents", "list")["configured"] if row["kind"] == "command"]
    assert (listed["permissions"], listed["permission_flags"]) == ("readonly", [])
    shown = cli("agents", "list", env={"GITORCH_SANDBOX_MODE": "off"}).text
    assert "claude: permissions worktree: --permission-mode bypassPermissions" in shown


@pytest.mark.real_agents
def test_real_agents_that_may_only_read_in_a_box(repository_folder: Path) -> None:
    """`claude`, `codex` and the API agent run any command; none changes a file or a ref, and sessions go on."""
    sandbox.require()
    steps = ("cat README.md", "echo x > evil.txt", "git commit -q --allow-empty -m Evil", "touch $HOME/mine")
    told = "; ".join(f"{step} && echo done {number}" for number, step in enumerate(steps))

    def brain(request: ModelRequest) -> Turn:
        if "And why?" in request.last_text:
            return Say("Since it is short.")
        return Shell(told) if request.turn == 0 else Say("It is one line.")

    agents = ("claude", "codex", "api")
    with ModelServer(brain) as server:
        cli = person(repository_folder, server)
        text = configured(server)
        for agent in agents:
            text = text.replace(f"[agents.{agent}]\n", f'[agents.{agent}]\npermissions = "readonly"\n')
        cli.configure(text)
        cli.environment["GITORCH_SANDBOX_MODE"] = "bwrap"
        for agent in agents:
            cli("submit", f"Look {agent}", "--agent", agent)
        refs = git("for-each-ref", "refs/heads/main", cwd=cli.folder)
        with cli.untouched():
            cli.run()
        looked = [request.last_text for request in server.requests if request.turn == 1]
        first = cli.tasks()
        for name in first:
            cli("resume", name, "-m", "And why?")
        cli.run()
        asked = [request for request in server.requests if "And why?" in request.last_text]
    assert len(looked) == len(asked) == len(agents)
    for output in looked:
        assert [number for number in range(len(steps)) if f"done {number}" in output] == [0, 3], output
    for name, task in cli.tasks().items():
        assert first[name]["reason"] == "answered: It is one line."
        assert (task["state"], task["reason"]) == ("waiting", "answered: Since it is short."), name
        assert task["attempt"]["resumed"] is True, name
        assert git("rev-list", "--count", f"main..orch/{name}", cwd=cli.folder) == "0"
    assert all("# Task: Look" in request.prompt for request in asked)
    assert git("for-each-ref", "refs/heads/main", cwd=cli.folder) == refs
