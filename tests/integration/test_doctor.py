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
from tests.support.cli import OBEDIENT, ROOT, Cli
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
    assert fix == """orchestrate config set prepare.copy '["node_modules"]'"""
    assert one(findings(cli, "--checks"), "test fails on the base")["ok"] is False
    assert "test ! -f README.md" in one(findings(cli), "test fails on the base")["fix"]
    cli("doctor", ok=4)


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
