"""All commands: their help, their common options, and their JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gitorch.cli.main import COMMANDS, orchestrate
from tests.support.checked import checked
from tests.support.cli import Cli, does, saved
from tests.support.git import git

NAMES = [name for group in COMMANDS.values() for name in group]


COMMON = ("-C", "-c", "-q", "-v", "--json", "--no-input", "-h")


TASK = {
    *("id", "number", "title", "state", "agent", "role", "priority", "after", "branch", "worktree", "base", "tip"),
    *("attempts", "attempt", "checks", "stale", "reason", "cost"),
}


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_every_command_has_help_and_the_common_options(cli: Cli) -> None:
    """`COMMAND -h` exits 0 and tells of the options that every command has, on both spellings of help."""
    for name in NAMES:
        answer = CliRunner().invoke(orchestrate, [name, "-h"])  # `main` ends the process where threads are left
        assert answer.exit_code == 0, (name, answer.exception)
        assert answer.output.startswith("Usage: "), name
        assert all(f" {option}" in answer.output for option in COMMON), name
    assert cli("status", "-h").stdout == cli("status", "--help").stdout


def test_common_options_stand_before_or_after(cli: Cli, tmp_path: Path) -> None:
    """`-C`, `-c`, `--json` and `-q` mean the same on both sides of the command; `-C` adds up, as git's does."""
    cli("submit", "Do it")
    wanted = {**cli.json("status"), "disk": None}
    orders: tuple[tuple[str, ...], ...] = (
        ("--json", "-C", "repo", "status"),
        ("status", "-C", "repo", "--json"),
        ("-C", "repo", "status", "-C", "src", "--json"),
    )
    for words in orders:
        assert {**cli(*words, cwd=tmp_path).json, "disk": None} == wanted
    asked = ("config", "get", "run.max_agents")
    assert cli("-c", "run.max_agents=7", *asked).text == cli(*asked, "-c", "run.max_agents=7").text == "7\n"
    assert cli(*asked).text == "3\n"
    assert cli("-q", "submit", "Say less").stderr == ""
    assert cli("submit", "Say less too", "-q").stderr == ""


def test_without_a_command_there_is_help(cli: Cli) -> None:
    """`orchestrate` alone shows the commands in the order of a day; a slip names the command that was meant."""
    text = cli().text
    listed = re.findall(r"^  ([a-z]+) {3}", text, re.MULTILINE)
    assert listed == list(NAMES)
    assert "did you mean status" in cli("statsu", ok=2).stderr
    assert cli("--version").text.startswith("gitorch ")


def test_every_command_answers_as_json(cli: Cli) -> None:
    """One night through all commands: each prints one object with its own schema, streams one a line."""
    cli.imports_itself = True  # what a command does not import must not be there by chance
    checked(cli, test="test ! -f bad.txt")
    seen: set[str] = set()

    def call(*words: str, ok: int = 0) -> dict[str, Any]:
        seen.add(words[0])
        return cli.json(*words, ok=ok)

    def stream(*words: str, ok: int = 0) -> list[dict[str, Any]]:
        seen.add(words[0])
        return cli(*words, "--json", ok=ok).stream

    assert call("doctor")["findings"]
    assert call("context", "list")["notes"] == []
    assert call("rescue", "list")["points"] == []
    assert call("plan", "list")["plans"] == []
    assert call("init", "--print")["text"]
    assert call("config", "show")["schema"] == "gitorch/config/1"
    assert "orchestrate" in call("completion", "bash")["script"]
    assert call("help", "states")["topic"] == "states"
    assert call("roles", "list")["roles"]
    assert call("submit", does("One", saved("one.txt", "1"))["prompt"])["tasks"][0]["id"] == "one"
    call("submit", does("Two", saved("bad.txt", "2"))["prompt"])
    assert [task["id"] for task in call("run", "-n")["order"]] == ["one", "two"]
    *events, last = stream("run", ok=6)
    assert {event["schema"] for event in events} == {"gitorch/event/1"}
    assert all(TASK.issubset(event["task"]) for event in events)
    assert (last["schema"], last["tasks"], last["stopped"]) == ("gitorch/run/1", {"finished": 2}, None)
    assert call("status")["tasks"]
    assert {event["schema"] for event in stream("watch")} == {"gitorch/event/1"}
    assert call("agents")["agents"] == []
    assert call("task", "one")["task"]["prompt"].startswith("One\n#!do")
    assert {event["schema"] for event in stream("log", "one")} <= {"gitorch/log/1"}
    assert [card["task"]["id"] for card in call("review")["tasks"]] == ["two", "one"]
    assert call("check", "one")["tasks"][0]["passed"]
    assert call("cd", "one")["path"].endswith("one")
    assert call("preview", "one")["schema"] == "gitorch/preview/1"
    assert call("report")["schema"] == "gitorch/report/1"
    assert call("diff", "one")["files"] == [{"path": "one.txt", "status": "A", "added": 1, "removed": 0}]
    assert call("comment", "two", "bad.txt:1", "-m", "No")["task"]["comments"][0]["line"] == 1
    assert (
        call("comment", "two", "bad.txt:1", "-m", "```suggestion\ngood\n```")["task"]["comments"][1]["suggestion"]
        == "good"
    )
    assert len(call("apply", "two", ok=6)["applied"]) == 1
    assert call("revise", "two")["task"]["state"] == "queued"
    assert call("kill", "two")["tasks"][0]["state"] == "cancelled"
    assert call("retry", "two")["tasks"][0]["state"] == "queued"
    cli.run(ok=6)
    assert call("approve", "one")["tasks"][0]["state"] == "approved"
    assert call("reject", "two", "-m", "Never")["task"]["reason"] == "Never"
    assert [one["id"] for one in call("merge")["merged"]] == ["one"]
    assert call("cleanup", "--yes")["tasks"] == ["one", "two"]
    assert call("plan", "list")["plans"] == []
    assert call("undo", "--list")["operations"][0]["kind"] == "cleanup"
    assert [task["id"] for task in call("history")["tasks"]] == ["one", "two"]
    assert [task["state"] for task in call("undo")["tasks"]] == ["merged", "rejected"]
    assert call("redo")["removed"] == ["one", "two"]
    git("branch", "by-hand", "orch/integration", cwd=cli.folder)
    assert call("adopt", "by-h*")["left"][0]["branch"] == "by-hand"
    # these have tests of their own
    assert set(NAMES) - seen == {
        "attach",
        "demo",
        "edit",
        "hooks",
        "mcp",
        "move",
        "notes",
        "resume",
        "serve",
        "uninstall",
        "worker",
    }


def test_status_is_as_promised(cli: Cli) -> None:
    """`status --json` has the promised fields, with null for what is not known and values of the promised kinds."""
    checked(cli, test="test -f one.txt")
    (task,) = cli.queue(does("One", saved("one.txt", "1"), priority="high", agent="sh"))
    assert TASK.issubset(task)
    assert (task["branch"], task["base"], task["tip"], task["attempt"], task["cost"]) == (None,) * 5
    assert task["checks"] == {"passed": None, "results": []}
    cli.run()
    found = cli.json("status")
    forecast, state = {"conflicts", "candidate"}, {"repository", "integration", "tasks", "moved", "sandbox", "disk"}
    assert set(found) == {"schema"} | forecast | state
    assert (found["schema"], found["repository"]) == ("gitorch/status/1", str(cli.folder))
    assert found["integration"] == {"branch": "orch/integration", "oid": None}
    (task,) = found["tasks"]
    assert (task["id"], task["number"], task["title"], task["state"]) == ("one", 1, "One", "finished")
    assert (task["agent"], task["role"], task["priority"], task["after"]) == ("sh", "generalist", "high", [])
    assert (task["branch"], task["worktree"]) == ("orch/one", str(cli.folder.parent / "repo.orch" / "one"))
    assert task["base"] == git("rev-parse", "main", cwd=cli.folder)
    assert task["tip"] == git("rev-parse", "orch/one", cwd=cli.folder)
    assert (task["attempts"], task["attempt"]["number"], task["stale"], task["reason"]) == (1, 1, False, None)
    (result,) = task["checks"]["results"]
    assert task["checks"]["passed"] is True
    assert (result["name"], result["exit_code"]) == ("test", 0)
    assert result["seconds"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", task["attempt"]["started"])


def test_a_dry_run_changes_nothing(cli: Cli) -> None:
    """`submit -n` and `run -n` show what would be, in the order of it, and leave everything as it is."""
    assert cli.json("submit", "-n", "Try")["tasks"][0]["id"] == "try"
    assert cli.tasks() == {}
    cli.queue({"title": "Low", "priority": "low"}, {"title": "High", "after": ["low"], "priority": "high"})
    before = cli.tasks()
    answer = cli.json("run", "-n")
    assert [task["id"] for task in answer["order"]] == ["low", "high"]
    assert answer["starts"] == {"low": git("rev-parse", "HEAD", cwd=cli.folder)}
    lines = cli("run", "-n").text.splitlines()
    assert f"on main {answer['starts']['low'][:8]}" in lines[1]
    assert lines[2].endswith("after low")
    assert cli.tasks() == before
    assert not (cli.folder.parent / "repo.orch").exists()


def test_submit_starts_a_run_where_asked(cli: Cli) -> None:
    """One command for a task that should not wait for the evening; a dry run starts none."""
    done = cli("submit", does("One", saved("one.txt", "1"))["prompt"], "--run")
    assert "next: orchestrate run" not in done.stderr
    assert cli.states() == {"one": "finished"}
    assert "exclude each other" in cli("submit", "Two", "--run", "-n", ok=2).stderr
    assert [*cli.states()] == ["one"]


def test_a_command_without_its_task_suggests_some(cli: Cli) -> None:
    """The error has commands to copy, with tasks in states that the command takes."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    error = cli.json("approve", ok=2)
    assert error["fix"] == ["orchestrate status"]
    cli.run()
    cli.queue({"prompt": "Later", "id": "later"})
    assert cli.json("log", ok=2)["fix"] == ["orchestrate log one", "orchestrate log two"]
    assert cli.json("approve", ok=2)["fix"][:2] == ["orchestrate approve one", "orchestrate approve two"]
    assert cli.json("resume", "-m", "yes", ok=2)["fix"] == ["orchestrate status"]
