"""Configuration files that commands change: comments stay, and an invalid configuration is never written."""

from __future__ import annotations

import shlex
from pathlib import Path

import jsonschema
import pytest
import tomli
from hypothesis import given, strategies as st

from gitorch.services import settings
from tests.support.cli import Cli
from tests.support.git import git

TEXT = """\
# a comment of mine
[run]  # and one here
max_agents = 2
# task_timeout = "1h"

[checks]
test = "true"   # quick
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    (repository_folder / ".orchestrate.toml").write_text(TEXT)
    return Cli(repository_folder)


def text(cli: Cli) -> str:
    return (cli.folder / ".orchestrate.toml").read_text()


def test_set_changes_one_line(cli: Cli) -> None:
    cli("config", "set", "run.max_agents", "5")
    assert text(cli) == TEXT.replace("max_agents = 2", "max_agents = 5")
    assert cli("config", "get", "run.max_agents").text == "5\n"
    cli("config", "set", "review.sensitive", '["a/**", "b"]')
    assert tomli.loads(text(cli))["review"] == {"sensitive": ["a/**", "b"]}
    assert text(cli).startswith("# a comment of mine\n[run]  # and one here\nmax_agents = 5\n")
    answer = cli.json("config", "set", "run.until", "07:00")
    assert (answer["value"], tomli.loads(text(cli))["run"]["until"]) == ("07:00", "07:00")


def test_set_says_what_wins_and_what_needs_trust(cli: Cli) -> None:
    answer = cli("config", "set", "run.max_agents", "5", env={"GITORCH_RUN_MAX_AGENTS": "7"})
    assert "run.max_agents is still 7: the environment overrides the file" in answer.stderr
    assert "next: orchestrate config trust" in cli("config", "set", "checks.lint", "ruff check").stderr
    assert tomli.loads(text(cli))["checks"]["lint"] == "ruff check"


def test_personal_and_user_files(cli: Cli) -> None:
    cli("config", "set", "--personal", "run.max_agents", "4")
    assert (cli.folder / ".orchestrate.local.toml").read_text() == "[run]\nmax_agents = 4\n"
    cli.configure("")
    cli("config", "set", "--user", "run.retries", "3")
    assert text(cli) == TEXT
    assert cli("config", "get", "run").text.startswith('{"max_agents": 4')
    assert cli.json("config", "show")["values"]["run.retries"] == 3
    cli.error("config", "set", "--user", "--personal", "run.retries", "3", exit=2)


def test_credentials_are_hidden_where_all_settings_are_shown(cli: Cli) -> None:
    """By the name of a variable, and by what a value looks like; `get` prints what is asked for."""
    token = f"ghp_{'a1B2c3D4e5' * 4}"[:40]
    lines = (f"args = ['--token', '{token}']", "env = { MY_API_KEY = 'ordinary words', MODE = 'fast' }")
    cli.configure("\n".join(("[agents.mine]", "kind = 'command'", "command = ['true']", *lines)))
    for words in (("config", "show"), ("config", "show", "--json"), ("config", "show", "--origin")):
        text = cli(*words).text
        assert "[hidden]" in text
        assert "[redacted github-" in text
        assert "ordinary words" not in text
        assert token not in text
        assert "fast" in text
    assert cli("config", "get", "agents.mine.env.MY_API_KEY").text == "ordinary words\n"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("run.max_agent", "5", "did you mean max_agents"),
        ("run.max_agents", "many", "it must be a whole number"),
        ("run.max_agents", "0", "1 or more"),
        ("run.start_after", "later", "it must be finished or approved"),
        ("run.task_timeout", "soon", "run.task_timeout"),
        ("checks", "true", "it must be a table whose values are text"),
        ("run.max_agents.x", "1", "is not a table"),
        ("run..x", "1", "not the name of a setting"),
        ("review.sensitive", '["a"', "it must be a list"),
    ],
)
def test_an_invalid_value_is_not_written(cli: Cli, name: str, value: str, words: str) -> None:
    error = cli.error("config", "set", name, value, exit=2)
    assert words in f"{error['what']} {error.get('why')}"
    assert text(cli) == TEXT


def test_a_link_is_not_followed(cli: Cli, tmp_path: Path) -> None:
    """A repository could point its file at any file of the user's."""
    target = tmp_path / "target.toml"
    target.write_text("")
    (cli.folder / ".orchestrate.toml").unlink()
    (cli.folder / ".orchestrate.toml").symlink_to(target)
    cli.error("config", "set", "run.retries", "3", exit=5)
    assert target.read_text() == ""


def editor(tmp_path: Path, command: str) -> dict[str, str]:
    script = tmp_path / "editor.sh"
    script.write_text(f"#!/bin/sh\n{command}\n")
    script.chmod(0o755)
    return {"EDITOR": str(script), "VISUAL": str(script)}


def test_edit(cli: Cli, tmp_path: Path) -> None:
    cli("config", "edit", env=editor(tmp_path, "sed -i s/2/6/ $1"))
    assert text(cli) == TEXT.replace("2", "6")
    assert cli.json("config", "edit", env=editor(tmp_path, "true"))["path"] is None


def test_the_editor_is_the_one_that_git_would_start(cli: Cli, tmp_path: Path) -> None:
    """GIT_EDITOR, core.editor, VISUAL, EDITOR: in this order, and through a shell."""

    def asked(*names: str) -> str:
        """Return which of these editors has written, each of which writes its name."""
        commands = {name: f"f() {{ echo '# {name}' >> \"$1\"; }}; f" for name in names}
        configured = [f"core.editor={commands.pop('core')}"] if "core" in commands else []
        for pair in configured:
            git("config", *pair.split("=", 1), cwd=cli.folder)
        scripts = {name: f"sh -c {shlex.quote(command + ' $0')}" for name, command in commands.items()}
        cli("config", "edit", env=scripts)
        return text(cli).splitlines()[-1]

    assert asked("EDITOR") == "# EDITOR"
    assert asked("EDITOR", "VISUAL") == "# VISUAL"
    assert asked("EDITOR", "VISUAL", "core") == "# core"
    assert asked("EDITOR", "VISUAL", "GIT_EDITOR") == "# GIT_EDITOR"


def test_edit_keeps_what_is_not_valid_as_a_draft(cli: Cli, tmp_path: Path) -> None:
    answer = cli("config", "edit", ok=2, env=editor(tmp_path, "echo nonsense >> $1"))
    assert text(cli) == TEXT
    draft = cli.folder / ".git" / "gitorch" / "config-draft.toml"
    assert str(draft) in answer.stderr
    assert draft.read_text() == f"{TEXT}nonsense\n"


def test_edit_repairs_an_invalid_file(cli: Cli, tmp_path: Path) -> None:
    (cli.folder / ".orchestrate.toml").write_text("[run]\nmax_agents = 'a'\n")
    cli.error("config", "validate", exit=2)
    cli("config", "edit", env=editor(tmp_path, "echo '[run]' > $1"))
    assert cli("config", "validate").text.startswith("valid: ")


def test_validate_a_file_by_itself(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[checks]\ntest = 1\n")
    error = cli.error("config", "validate", str(path), exit=2)
    assert "other.toml:2: checks.test" in error["what"]
    path.write_bytes(b"\xff")
    cli.error("config", "validate", str(path), exit=2)
    cli.error("config", "validate", str(tmp_path / "missing.toml"), exit=2)
    path.write_text("")
    assert cli.json("config", "validate", str(path))["origins"] == [str(path)]


def test_the_schema_accepts_what_gitorch_accepts(cli: Cli) -> None:
    document = cli.json("config", "schema")["document"]
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)
    assert not [*validator.iter_errors(tomli.loads(TEXT))]
    assert not [*validator.iter_errors({"agents": {"claude": {"model": "sonnet"}}})]
    assert [*validator.iter_errors({"run": {"max_agent": 1}})]
    assert [*validator.iter_errors({"merge": {"verify": "never ever"}})]


def test_an_unknown_name_has_a_hint(cli: Cli) -> None:
    assert "did you mean run.max_agents" in cli.error("config", "get", "run.maxagents", exit=2)["what"]
    assert "did you mean checks" in cli.error("config", "get", "cheks", exit=2)["what"]


@given(
    st.lists(st.sampled_from(["run.until", "checks.a b", "roles.x.prompt", "base"]), max_size=5), st.text(max_size=20)
)
def test_any_text_comes_back(names: list[str], value: str) -> None:
    changed = TEXT
    for name in names:
        changed = settings.with_value(changed, name, value)
    table = tomli.loads(changed)
    for name in names:
        found: object = table
        for key in name.split("."):
            assert isinstance(found, dict)
            found = found[key]
        assert found == value
    assert all(line in changed for line in TEXT.splitlines() if line.startswith("#"))
