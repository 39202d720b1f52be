"""Commands of a repository's own file run only after a person has agreed to exactly them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, does, saved
from tests.support.git import commit, git

CONFIG = """\
agent = "own"
[run]
max_agents = 2
[checks]
test = "echo checked >> '{marks}/check'"
[prepare]
run = ["echo prepared >> '{marks}/prepare'"]
[agents.own]
kind = "command"
command = ["/bin/sh", "-c", "echo worked >> '{marks}/agent'; echo x > x.txt"]
"""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A folder in which every command of the repository leaves its mark."""
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def cli(repository_folder: Path, marks: Path) -> Cli:
    """A repository whose committed file names commands, as if it had just been cloned."""
    commit(repository_folder, "Configure\n", {".orchestrate.toml": CONFIG.format(marks=marks)})
    return Cli(repository_folder, "")


def edit(cli: Cli, old: str, new: str) -> None:
    """Change the repository's file, and commit it."""
    text = (cli.folder / ".orchestrate.toml").read_text()
    assert old in text
    commit(cli.folder, "Change the configuration\n", {".orchestrate.toml": text.replace(old, new)})


def test_nothing_runs_before_a_person_agreed(cli: Cli, marks: Path) -> None:
    """In a fresh clone none of its commands runs, whatever is called; `run` is exit 5 and names them."""
    cli("submit", "Work")
    for words in (("status",), ("doctor",), ("config", "show"), ("review",), ("merge", "-n"), ("task", "work")):
        cli(*words, ok=(0, 4))
    found = cli.error("run", exit=5)
    assert (found["code"], found["fix"]) == ("untrusted", ["orchestrate config trust"])
    assert all(name in found["why"] for name in ("checks.test", "prepare.run", "agents.own"))
    assert list(marks.iterdir()) == []
    assert cli.states() == {"work": "queued"}
    assert git("for-each-ref", "refs/heads/orch", cwd=cli.folder) == ""


def test_a_folder_that_cannot_be_made_is_named(cli: Cli) -> None:
    """Where the user's own files would be below /proc, the agreement cannot be kept."""
    error = cli.error("config", "trust", "--yes", exit=4, env={"XDG_CONFIG_HOME": "/proc/self/none"})
    assert (error["code"], error["what"].split(",")[0]) == ("user-folder", "cannot make /proc/self/none/gitorch")
    assert "XDG_CONFIG_HOME" in error["fix"][0]


def test_no_agents_program_is_asked_for_its_version_before_a_person_agreed(cli: Cli, marks: Path) -> None:
    """`path` of an agent is a command too: neither the preflight nor `doctor` starts it."""
    program = marks.parent / "claude"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{marks}/agent'\n")
    program.chmod(0o755)
    text = f'agent = "claude"\n[agents.claude]\npath = "{program}"\n'
    commit(cli.folder, "Configure\n", {".orchestrate.toml": text})
    cli("submit", "Work")
    answer = cli("run", ok=5)
    assert "ready" not in answer.stderr
    assert "agents.claude" in answer.stderr
    assert "you have not agreed to agents.claude" in cli("doctor", ok=4).text
    cli("agents", "list")
    assert [*marks.iterdir()] == []
    cli("config", "trust", "--yes")
    cli("doctor", ok=4)
    assert (marks / "agent").exists()


def test_a_preparation_that_changed_later_runs_for_no_check(cli: Cli, marks: Path) -> None:
    """As after a pull: the checks of the base are still those that were agreed to."""
    cli("config", "trust", "--yes")
    cli("submit", "Work")
    cli.run()
    cli("approve", "work")
    edit(cli, "echo prepared", "echo changed")
    before = (marks / "prepare").read_text()
    for words in (("check", "work"), ("merge", "--recheck"), ("merge", "--verify", "each"), ("preview", "work")):
        assert cli.error(*words, exit=5)["code"] == "untrusted", words
    cli("doctor", "--checks", ok=4)
    assert (marks / "prepare").read_text() == before
    cli("config", "trust", "--yes")
    cli("merge", "--recheck")
    assert "changed" in (marks / "prepare").read_text()


def test_agreeing_shows_the_commands_and_lets_them_run(cli: Cli, marks: Path) -> None:
    """`config trust` shows what would run, is exit 9 when nobody can answer, and with `--yes` agrees."""
    cli("submit", "Work")
    asked = cli("config", "trust", ok=9)
    assert f"echo checked >> '{marks}/check'" in asked.stderr
    cli("run", ok=5)
    found = cli.json("config", "trust", "--yes")["commands"]
    assert set(found) == {"checks", "prepare", "agents"}
    cli.run()
    assert sorted(mark.name for mark in marks.iterdir()) == ["agent", "check", "prepare"]
    assert cli("config", "trust").text == "already trusted\n"


def test_a_change_of_the_commands_asks_again(cli: Cli, marks: Path) -> None:
    """A changed, added or personal command takes the agreement away; taking the change back restores it."""
    cli("config", "trust", "--yes")
    cli("submit", "Work")
    before = (cli.folder / ".orchestrate.toml").read_text()
    edit(cli, "echo checked", "echo changed")
    cli("run", ok=5)
    edit(cli, "echo changed", "echo checked")
    (cli.folder / ".orchestrate.local.toml").write_text("[checks]\nmore = 'echo more'\n")
    cli("run", ok=5)
    (cli.folder / ".orchestrate.local.toml").unlink()
    assert (cli.folder / ".orchestrate.toml").read_text() == before
    assert list(marks.iterdir()) == []
    cli.run()


def test_what_changed_is_marked(cli: Cli) -> None:
    """A line for each command: what is new since the last agreement has a plus, and what is gone a minus."""
    first = cli("config", "trust", "--yes").stderr
    assert not [line for line in first.splitlines() if line.startswith(("+", "-"))]
    edit(cli, "echo checked", "echo changed")
    (cli.folder / ".orchestrate.local.toml").write_text("[checks]\nmore = 'echo more'\n")
    lines = cli("config", "trust", ok=9).stderr.splitlines()
    marked = [(line[0], line[2:].split()[0]) for line in lines if line.startswith(("+", "-"))]
    assert marked == [("-", "checks.test"), ("+", "checks.test"), ("+", "checks.more")]
    assert [line for line in lines if line.startswith("  prepare.run")]


def test_other_keys_ask_nothing(cli: Cli) -> None:
    """Settings that run nothing may change, and comments too; the agreement stands."""
    cli("config", "trust", "--yes")
    cli("submit", "Work")
    edit(cli, "max_agents = 2", "# fewer\nmax_agents = 1\nretries = 0")
    cli.run()
    assert cli.states() == {"work": "finished"}


def test_a_base_with_other_checks_asks_too(cli: Cli, marks: Path) -> None:
    """The checks of a task's base are agreed to on their own: a branch from elsewhere cannot bring commands along."""
    cli("config", "trust", "--yes")
    git("switch", "--quiet", "--create", "elsewhere", cwd=cli.folder)
    edit(cli, "echo checked", "echo smuggled")
    git("switch", "--quiet", "main", cwd=cli.folder)
    cli("submit", "Work", "--base", "elsewhere")
    cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert (task["state"], task["attempts"]) == ("queued", 0)
    assert "agreed" in task["reason"]
    assert list(marks.iterdir()) == []


def test_a_base_that_cannot_be_read_is_in_the_way_of_no_agreement(cli: Cli) -> None:
    """It keeps only the tasks that start on it, and they name its commit."""
    git("switch", "--quiet", "--create", "broken", cwd=cli.folder)
    tip = commit(cli.folder, "Break it\n", {".orchestrate.toml": "not toml [[["})
    git("switch", "--quiet", "main", cwd=cli.folder)
    cli("submit", "Above", "--base", "broken")
    cli("submit", "Beside")
    cli("config", "trust", "--yes")
    cli.run(ok=6)
    assert cli.states() == {"above": "queued", "beside": "finished"}
    assert cli.tasks()["above"]["reason"].startswith(f"{tip[:12]}:.orchestrate.toml:1:5")


def test_an_agreement_is_for_one_repository_and_one_person(cli: Cli, tmp_path: Path) -> None:
    """A clone of a trusted repository asks anew, and another person's configuration folder knows of nothing."""
    cli("config", "trust", "--yes")
    cli("submit", "Work")
    git("clone", "--quiet", str(cli.folder), "clone", cwd=tmp_path)
    clone = Cli(tmp_path / "clone", "")
    clone("submit", "Work")
    clone("run", ok=5)
    cli("run", ok=5, env={"XDG_CONFIG_HOME": str(tmp_path / "somebody")})


def test_the_persons_own_commands_need_no_agreement(repository_folder: Path) -> None:
    """What the user's own file names runs without a question: it is theirs."""
    cli = Cli(repository_folder)
    cli.queue(does("Work", saved("a.txt", "a")))
    cli.run()
    assert cli.states() == {"work": "finished"}


def test_settings_of_a_repository_are_shown_without_control_characters(repository_folder: Path) -> None:
    """A name or a value could otherwise command the terminal of whoever looks at it."""
    text = 'integration = "a\\u001b]0;b\\u0007"\n[checks]\n"t\\u001b]0;x\\u0007" = "true"\n'
    (repository_folder / ".orchestrate.toml").write_text(text)
    cli = Cli(repository_folder)
    for words in (["show"], ["show", "--origin"], ["get", "integration"], ["get", "checks"]):
        answer = cli("config", *words)
        assert "\x1b" not in answer.text, words
        assert "\\x1b" in answer.text or "\\u001b" in answer.text, words
