"""Budgets of a task and of a run: what running agents spend counts, and each goes past them by one turn at most."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from tests.support import real
from tests.support.cli import Cli, does, saved
from tests.support.git import git
from tests.support.model_server import ModelRequest, ModelServer, Say, Shell, Tokens, Turn

_DOLLAR = Tokens(0, 0, 100_000)
"""What a turn uses: ten dollars per million tokens of output."""
_SECONDS_OF_A_TURN = 2
"""Longer than it takes a run to notice what a turn has cost."""


def work(request: ModelRequest) -> Turn:
    """Spend a dollar per turn, and never end."""
    seconds = 0 if "Quick" in request.prompt else _SECONDS_OF_A_TURN
    if "Free" in request.prompt:
        return Say("done")
    return Shell(f"sleep {seconds}; echo {request.turn} > turns.txt; git add -A; git commit -qm Turn", tokens=_DOLLAR)


@pytest.mark.usefixtures("forked_api")
def test_a_budget_ends_what_runs(repository_folder: Path) -> None:
    """A task's budget ends that task alone. A run's interrupts all agents, starts no more, and the work is kept."""
    with ModelServer(work) as server:
        config = 'agent = "api"\n[agents.api]\nkind = "api"\nmodel = "claude-sonnet-5"\nargs = ["--retries", "0"]\n'
        key = f'[agents.api.env]\nANTHROPIC_API_KEY = "test-key"\nANTHROPIC_BASE_URL = "{server.url}"\n'
        cli = Cli(repository_folder, config + key)
        cli.environment["GITORCH_SANDBOX_MODE"] = "off"
        cli("submit", "Quick work", "--budget", "2.5")
        cli.run(ok=6)
        (task,) = cli.tasks().values()
        assert (task["state"], task["attempt"]["outcome"]) == ("failed", "out of budget")
        assert task["cost"]["usd"] == 3.0
        for title in ("First", "Second", "Third"):
            cli("submit", title)
        said = cli.run("--max-agents", "2", "--budget", "3", ok=8)
    assert "the budget of $3.00 is used up" in said.text + said.stderr
    tasks = {name: task for name, task in cli.tasks().items() if name != "quick-work"}
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(tasks, "queued")
    spent = {name: task["cost"]["usd"] for name, task in tasks.items() if task["cost"]}
    assert set(spent) == {"first", "second"}
    assert 3.0 <= sum(spent.values()) <= 3.0 + len(spent)
    assert all("the budget of $3.00 is used up" in tasks[name]["reason"] for name in spent)
    assert all(task["attempts"] == (1 if name in spent else 0) for name, task in tasks.items())


@pytest.mark.real_agents
def test_a_budget_ends_the_real_codex_within_its_turn(repository_folder: Path) -> None:
    """Its own log says what each call has used: it is stopped after the call that reaches the budget."""
    with ModelServer(work) as server:
        codex = real.codex_settings(server)
        table = {"kind": "codex", "path": codex.path, "model": codex.model, "args": list(codex.args), "env": codex.env}
        config = {"agent": "codex", "agents": {"codex": table | {"prices": {"input": 0.0, "output": 10.0}}}}
        cli = Cli(repository_folder, tomli_w.dumps(config), CODEX_HOME=str(repository_folder.parent / "codex-home"))
        (repository_folder.parent / "codex-home").mkdir()
        cli.environment["GITORCH_SANDBOX_MODE"] = "off"
        cli("submit", "Work", "--budget", "1.5")
        cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert (task["state"], task["attempt"]["outcome"]) == ("failed", "out of budget")
    assert task["cost"]["usd"] in (2.0, 3.0)  # the call that reached it, and one that began meanwhile
    assert git("show", "orch/work:turns.txt", cwd=cli.folder).strip()


def test_no_agent_lowers_what_a_budget_counts(repository_folder: Path) -> None:
    """A program writes its own account: a negative one is none."""
    cli = Cli(repository_folder)
    account = '{"usage":{"usd":-100,"input_tokens":-5,"output_tokens":7}}'
    cli.queue(does("Cheat", f"echo '{account}' > $GITORCH_RESULT", saved("a.txt", "a"), id="cheat"))
    cli.run()
    cost = cli.tasks()["cheat"]["cost"]
    assert (cost["usd"], cost["input_tokens"], cost["output_tokens"]) == (0.0, 0, 7)
