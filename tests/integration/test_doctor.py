"""`doctor`: what it finds, and what `--fix` does about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gitorch import data
from gitorch.git.user_hooks import script
from gitorch.services.agent_versions import TriedVersions, new_version_note, version_note
from gitorch.services.open import open_workspace
from tests.support import sandbox
from tests.support.cli import OBEDIENT, ROOT, Cli, Pipe, does, saved
from tests.support.git import commit, git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def findings(cli: Cli, *words: str, **options: Any) -> dict[str, dict[str, Any]]:
    answer = cli.json("doctor", *words, ok=(0, 4), **options)
    return {item["what"]: item for item in answer["findings"]}


def one(found: dict[str, dict[str, Any]], start: str) -> dict[str, Any]:
    (item,) = [item for what, item in found.items() if what.startswith(start)]
    return item


def test_versions_are_compared_with_those_that_were_tried() -> None:
    tried = data.load("agent_versions.toml", dict[str, TriedVersions])
    assert version_note("claude", tried["claude"].newest) == ("", "")
    assert version_note("claude", "2.1.200 (Claude Code)") == ("", "")
    assert version_note("claude", "1.9.400") == (
        f"older than {tried['claude'].oldest}, the oldest that gitorch was tried with",
        "claude update",
    )
    assert version_note("codex", "codex-cli 0.1000.0")[0].startswith("newer than")
    assert version_note("command", "1.0") == version_note("claude", "unknown") == ("", "")


def test_a_version_that_was_not_tried_is_said_once(repository_folder: Path) -> None:
    """Once for each version and repository, whatever the file of those that were said holds."""
    workspace = open_workspace(repository_folder)
    assert new_version_note(workspace, "claude", "9.0.0")[0].startswith("newer than")
    assert new_version_note(workspace, "claude", "9.0.0") == ("", "")
    assert new_version_note(workspace, "claude", "9.0.1")[0]
    assert new_version_note(workspace, "claude", "2.1.200") == ("", "")
    (workspace.folder / "agent-versions.json").write_text("[", "utf-8")
    assert new_version_note(workspace, "claude", "9.0.0")[0]


def test_the_newest_tried_versions_are_those_of_the_gate() -> None:
    script = (ROOT / ".ci/run").read_text()
    tried = data.load("agent_versions.toml", dict[str, TriedVersions])
    assert re.findall(r"@anthropic-ai/claude-code@(\S+) @openai/codex@(\S+)", script) == [
        (tried["claude"].newest, tried["codex"].newest)
    ]


def _agent(folder: Path, login: str) -> Path:
    """Write a `claude` that says its version and whether it is logged in."""
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.300 (Claude Code)' || echo '{login}'\n")
    path.chmod(0o755)
    return path


def test_logged_out_is_not_the_same_as_not_installed(cli: Cli, tmp_path: Path) -> None:
    """Each says what helps: to install, to log in, or nothing."""
    path = _agent(tmp_path, '{"loggedIn": false}')
    cli.configure(f'{OBEDIENT}[agents.claude]\npath = "{path}"\n[agents.codex]\npath = "{tmp_path}/nothing"\n')
    found = findings(cli)
    assert "not logged in" in one(found, "agent claude")["what"]
    assert "/login" in one(found, "agent claude")["fix"]
    assert "cannot be started" in one(found, "agent codex")["what"]
    assert "npm install" in one(found, "agent codex")["fix"]
    _agent(tmp_path, '{"loggedIn": true}')
    assert one(findings(cli), "agent claude")["ok"]


def test_what_helps_where_no_agent_is_ready(cli: Cli, tmp_path: Path) -> None:
    """An agent that is installed needs a login, not another installation."""
    path = _agent(tmp_path, '{"loggedIn": false}')
    cli.configure(f'[agents.claude]\npath = "{path}"\n[agents.codex]\npath = "{tmp_path}/nothing"\n')
    found = findings(cli)
    assert one(found, "no agent is ready")["fix"] == one(found, "agent claude")["fix"]


def test_a_red_base_and_missing_files_are_found(cli: Cli) -> None:
    """Checks run on the base only when asked for, and their results are remembered."""
    text = '[checks]\ntest = "test ! -f README.md"\n[prepare]\ncopy = [".env"]\n'
    commit(cli.folder, "Add a check\n", {".orchestrate.toml": text})
    cli("config", "trust", "--yes")
    found = findings(cli)
    assert one(found, "prepare.copy")["ok"] is False
    assert one(found, "not known whether the checks pass")["fix"] == "orchestrate doctor --checks"
    (cli.folder / ".env").write_text("A=1\n")
    (cli.folder / "node_modules").mkdir()
    (cli.folder / ".git/info/exclude").write_text("node_modules\n.env\n")
    fix = one(findings(cli), "worktrees will lack node_modules")["fix"]
    assert fix == """orchestrate config set prepare.copy '[".env", "node_modules"]'"""
    assert one(findings(cli, "--checks"), "test fails on the base")["ok"] is False
    assert "test ! -f README.md" in one(findings(cli), "test fails on the base")["fix"]
    cli("doctor", ok=4)


def test_a_virtual_environment_is_not_to_be_copied(cli: Cli) -> None:
    """Its programs name the folder that it was made in: agents would use, and change, the user's."""
    (cli.folder / ".git/info/exclude").write_text(".venv\n")
    (cli.folder / ".venv").mkdir()
    (cli.folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    lacking = one(findings(cli), "worktrees will lack .venv: a virtual environment works only in one checkout")
    assert "prepare.run" in lacking["fix"]
    cli("config", "set", "prepare.copy", '[".venv"]')
    cli("config", "trust", "--yes")
    assert "prepare.run" in one(findings(cli), "prepare.copy: the programs of a copied .venv use")["fix"]


def test_space_and_identity(cli: Cli) -> None:
    assert one(findings(cli), "commits are made as")["ok"]
    full = findings(cli, "-c", "run.min_free_disk=900TB")
    assert next(item for what, item in full.items() if "GB free" in what)["ok"] is False
    git("config", "--global", "--unset", "user.name", cwd=cli.folder)
    git("config", "--global", "user.useConfigOnly", "true", cwd=cli.folder)
    assert one(findings(cli), "git knows no name for you")["ok"] is None


def test_fix_names_each_repair_and_asks(cli: Cli) -> None:
    """An outdated hook is brought up to date, after a yes; without anything to repair, nothing changes."""
    assert "nothing that can be repaired safely" in cli("doctor", "--fix", ok=(0, 4)).stderr
    cli("hooks", "install")
    hook = cli.folder / ".git/hooks/post-rewrite"
    current = hook.read_bytes()
    hook.write_bytes(script("exit 0\n", {}))
    assert one(findings(cli), "the installed git hooks are outdated")["repair"] == "hooks"
    assert "pass --yes" in cli("doctor", "--fix", ok=9).stderr
    assert cli.json("doctor", "--fix", "--yes", ok=(0, 4))["repaired"] == ["hooks"]
    assert hook.read_bytes() == current


def test_credentials_inside_a_sandbox_are_named(repository_folder: Path, tmp_path: Path) -> None:
    """Those of Bedrock and Foundry, and a token that codex has in its settings; never their values."""
    sandbox.require()
    home = tmp_path / "codex"
    home.mkdir()
    provider = 'base_url = "https://x.org"\nexperimental_bearer_token = "hush"\n'
    (home / "config.toml").write_text(f'model_provider = "own"\n[model_providers.own]\n{provider}')
    agents = 'agent = "c"\n[agents.c]\nkind = "claude"\npass_env = ["AWS_*"]\n[agents.x]\nkind = "codex"\n'
    cli = Cli(repository_folder, agents, GITORCH_SANDBOX_MODE="bwrap")
    secrets = {"AWS_BEARER_TOKEN_BEDROCK": "hush", "ANTHROPIC_FOUNDRY_API_KEY": "hush", "ANTHROPIC_API_KEY": "hush"}
    text = cli("doctor", env={**secrets, "CODEX_HOME": str(home)}, ok=range(256)).text
    words = " ".join(text.split())
    assert "c can read these in its sandbox: ANTHROPIC_FOUNDRY_API_KEY, AWS_BEARER_TOKEN_BEDROCK" in words
    assert "x can read these in its sandbox: experimental_bearer_token of codex's config.toml" in words
    assert "hush" not in text


def test_credentials_inside_a_sandbox_are_named_by_the_run_that_uses_them(
    repository_folder: Path, tmp_path: Path
) -> None:
    """Of the agents that the queue needs, also by `status` while they work; an agent that nobody asked for is none."""
    sandbox.require()
    agents = OBEDIENT + 'pass_env = ["AWS_*"]\n[agents.other]\nkind = "claude"\npass_env = ["AWS_*"]\n'
    (tmp_path / "gates").mkdir()
    gate = Pipe(tmp_path / "gates" / "gate")
    settings = f'{agents}[sandbox]\nread = ["{tmp_path}/gates"]\n'
    cli = Cli(repository_folder, settings, GITORCH_SANDBOX_MODE="bwrap")
    cli.environment["AWS_BEARER_TOKEN_BEDROCK"] = "hush"
    cli.queue(does("One", f"read word < {gate}", saved("one.txt", "1")))
    told = "sh can read these in its sandbox: AWS_BEARER_TOKEN_BEDROCK"
    with cli.start("run") as run:
        run.goes_on_until(lambda: cli.states()["one"] == "running")
        warnings = cli.json("status")["sandbox"]["warnings"]
        gate.say()
        answer = run.end()
    assert told in warnings
    assert f"warning: {told}" in answer.stderr
    assert "other can read" not in answer.stderr
    assert "hush" not in answer.stderr
