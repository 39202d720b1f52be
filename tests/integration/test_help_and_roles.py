"""`help TOPIC` and `roles`: what they print is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitorch import __version__, data
from gitorch.cli.views.reviewing import review_file
from gitorch.errors import GitorchError
from gitorch.flow.intake.entry import DEFAULTS
from gitorch.model.task import State
from tests.support.cli import Cli
from tests.support.git import commit


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def words(topic: str) -> set[str]:
    return set(re.findall(r"`([\w.-]+)`", data.topics()[topic]))


def test_topics_name_everything() -> None:
    assert {str(state) for state in State} <= words("states")
    exits = {kind.exit for kind in GitorchError.__subclasses__()}
    assert {str(code) for code in exits} <= words("exit-codes")
    assert {"title", "prompt", "id", *DEFAULTS} <= words("tasks-file")
    assert {*review_file.VERDICTS} <= words("review-file")
    assert all(f"`{severity}:`" in data.topics()["review-file"] for severity in review_file.SEVERITIES)
    assert all(text.startswith("# ") for text in data.topics().values())


def test_help(cli: Cli, tmp_path: Path) -> None:
    listing = cli("help", cwd=tmp_path).text
    assert all(topic in listing for topic in data.topics())
    assert cli("help", "states", cwd=tmp_path).text == data.topics()["states"]
    assert cli("help", "run").text.startswith("Usage: orchestrate run")
    assert cli.json("help", "json")["text"] == data.topics()["json"]
    assert set(cli.json("help")["topics"]) == set(data.topics())
    assert "did you mean states" in cli.error("help", "state", exit=3)["what"]


def test_roles(cli: Cli) -> None:
    commit(
        cli.folder,
        "Add a role\n",
        {".claude/agents/sql.md": "---\nname: sql\ndescription: tunes \\e[2J\n---\nBe fast."},
    )
    rows = {role["name"]: role for role in cli.json("roles", "list")["roles"]}
    assert {"generalist", "backend-systems-engineer", "sql"} <= rows.keys()
    assert rows["generalist"]["origin"] == "built-in"
    assert rows["sql"]["origin"].startswith(".claude/agents/sql.md")
    assert "sql" in cli("roles", "list").text
    shown = cli("roles", "show", "sql").text
    assert "Be fast." in shown
    assert cli.json("roles", "show", "sql")["instructions"].strip() == "Be fast."
    assert "did you mean generalist" in cli.error("roles", "show", "generalis", exit=3)["what"]


def test_everything_answers_as_json(cli: Cli, tmp_path: Path) -> None:
    """So do the bare command, a group of commands, and `--version`."""
    assert cli("--version").text == f"gitorch {__version__}\n"
    assert cli("--json", "--version", cwd=tmp_path).json["version"] == __version__
    assert cli("-V", "--json", cwd=tmp_path).json["version"] == __version__
    assert cli("--json", cwd=tmp_path).json["text"].startswith("Usage: orchestrate")
    assert cli("--json").json["topic"] == "orchestrate"
    assert cli("config", "--json").json["topic"] == "config"
    cli("submit", "Do it")
    assert cli("--json").json["schema"] == "gitorch/status/1"


def test_agents_list(cli: Cli) -> None:
    """Each configured agent, and why it is not ready."""
    settings = ("-c", 'agents.lint.kind="command"', "-c", 'agents.lint.command=["/bin/true"]')
    rows = {agent["name"]: agent for agent in cli.json("agents", "list", *settings)["configured"]}
    assert rows.keys() >= {"claude", "codex", "api", "lint"}
    assert rows["lint"]["ready"]
    assert rows["api"]["kind"] == "api"
    assert not rows["api"]["ready"]
    assert "lint" in cli("agents", "list", *settings).text
