"""`init` finds the checks of a repository, and only what passes in a scratch worktree of the base becomes a setting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tomli

from tests.support.cli import Cli, does, saved
from tests.support.git import commit, git

COMMAND = "PYTHONPATH=src python3 -m unittest discover -q -s tests"
TEST = "import unittest\n\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertTrue(1)\n"
RED = TEST.replace("assertTrue(1)", "assertTrue(0, 'no \\x1b[2J luck')")


_PYTHON = """\
#!/bin/sh
[ "$*" = "-m venv .venv" ] && set -- "$@" --without-pip
exec {python} "$@"
"""
"""What fails is tried again in a virtual environment: to put pip into one takes six seconds of processor time."""


@pytest.fixture
def cli(repository_folder: Path, tmp_path: Path) -> Cli:
    cli = Cli(repository_folder)
    path = cli.environment["PATH"]
    python = tmp_path / "python" / "python3"
    python.parent.mkdir()
    python.write_text(_PYTHON.format(python=shutil.which("python3", path=path)))
    python.chmod(0o755)
    cli.environment["PATH"] = f"{python.parent}:{path}"
    return cli


def committed(cli: Cli, files: dict[str, str]) -> None:
    commit(cli.folder, "Add a project\n", files)


def settings(cli: Cli) -> dict[str, object]:
    return tomli.loads((cli.folder / ".orchestrate.toml").read_text())


def test_a_night_after_init(cli: Cli) -> None:
    """What was seen working is set, a failing check is a comment with its reason, and the first night is green."""
    committed(cli, {"tests/test_a.py": TEST, "pyproject.toml": "[tool.mypy]\nfiles = 'missing.py'\n"})
    with cli.untouched():
        printed = cli("init", "--print")
    assert tomli.loads(printed.text)["checks"] == {"test": COMMAND}
    answer = cli("init")
    assert "passed" in answer.text
    assert f"try {COMMAND}" in answer.stderr
    assert settings(cli)["checks"] == {"test": COMMAND}
    assert '# types = "PYTHONPATH=src python3 -m mypy"' in (cli.folder / ".orchestrate.toml").read_text()
    assert "fail on the base: types" in answer.stderr
    assert "next: orchestrate config trust" in answer.stderr
    cli("config", "trust", "--yes")
    git("add", ".orchestrate.toml", cwd=cli.folder)
    git("commit", "--quiet", "-m", "Configure gitorch", cwd=cli.folder)
    cli.queue(does("A", saved("a.py", "a = 1")))
    cli.run()
    assert cli.tasks()["a"]["checks"]["passed"] is True


def test_a_red_base_is_said(cli: Cli) -> None:
    last = "import atexit\n\n\natexit.register(print, '\\x1b[1;31mbroken\\x1b[0m\\n\\x1b[0m\\x1b[0m')\n"
    committed(cli, {"tests/test_a.py": last + RED})
    answer = cli("init")
    assert settings(cli)["checks"] == {}
    assert "failed with exit code 1: broken" in answer.text
    assert "[0m" not in answer.text + (cli.folder / ".orchestrate.toml").read_text()
    assert "\x1b" not in answer.text + (cli.folder / ".orchestrate.toml").read_text()
    assert "next: set [checks] in .orchestrate.toml, then orchestrate config trust" in answer.stderr
    row = cli.json("init", "--force")["checks"][0]
    assert (row["name"], row["passed"], row["exit_code"]) == ("test", False, 1)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_reason_is_told_in_full(cli: Cli) -> None:
    """What to allow in the sandbox stands at the end of a line, what node misses above its stack."""
    command = f"echo 'refused, {'why ' * 30}; allow it: sandbox.hosts = [\"x.example:443\"]'; false"
    scripts = {"test": command, "lint": "node -e 'require(\"./nowhere\")'"}
    committed(cli, {"package.json": json.dumps({"scripts": scripts})})
    answer = cli("init")
    assert 'allow it: sandbox.hosts = ["x.example:443"]' in answer.text
    assert "lint: failed with exit code 1: Error: Cannot find module './nowhere'" in answer.text
    assert 'sandbox.hosts = ["x.example:443"]' in (cli.folder / ".orchestrate.toml").read_text()


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_ignored_dependencies_are_copied(cli: Cli) -> None:
    """A fresh worktree has no `node_modules`: they are copied from the checkout, and then the tests pass."""
    package = {"scripts": {"test": "node test.js"}, "dependencies": {"left": "*"}}
    committed(cli, {"package.json": json.dumps(package), "test.js": "require('left')", ".gitignore": "node_modules\n"})
    modules = cli.folder / "node_modules" / "left"
    modules.mkdir(parents=True)
    (modules / "index.js").write_text("")
    cli("init")
    assert settings(cli)["prepare"] == {"copy": ["node_modules"]}
    assert settings(cli)["checks"] == {"test": "npm run --silent test"}


def test_a_program_that_is_not_installed(cli: Cli) -> None:
    committed(cli, {"mix.exs": "", "justfile": "test:\n  true\n"})
    cli.environment["PATH"] = _without(cli, "mix")
    answer = cli("init")
    assert "mix is not installed" in answer.text
    assert answer.text.splitlines()[1].startswith("not run")
    assert "fail on the base" not in answer.stderr
    assert answer.stderr.endswith("next: install mix, then orchestrate init --force\n")
    assert settings(cli)["checks"] == {}
    assert [check["passed"] for check in cli.json("init", "--force")["checks"]] == [None]


def test_a_link_is_not_followed(cli: Cli) -> None:
    """A repository could point its configuration file at a file of the user's, also at one that does not exist yet."""
    target = cli.folder.parent / "target"
    (cli.folder / ".orchestrate.toml").symlink_to(target)
    cli.error("init", "--no-try", exit=5)
    cli.error("init", "--no-try", "--force", exit=5)
    assert not target.exists()


def test_without_a_trial(cli: Cli) -> None:
    committed(cli, {"tests/test_a.py": "import os\nos.mkfifo('ran')\n"})
    answer = cli("init", "--no-try")
    assert "found" in answer.text
    assert settings(cli)["checks"] == {}
    assert "# not tried: --no-try was given" in (cli.folder / ".orchestrate.toml").read_text()
    assert cli.json("init", "--no-try", "--force")["checks"][0]["passed"] is None
    assert cli("init", ok=5).stderr


def _without(cli: Cli, program: str) -> str:
    """Return a PATH with links to everything on the present one, except for a program."""
    folder = cli.folder.parent / "programs"
    folder.mkdir()
    for source in cli.environment["PATH"].split(":"):
        for path in Path(source).iterdir() if Path(source).is_dir() else ():
            if path.name != program and not (folder / path.name).is_symlink():
                (folder / path.name).symlink_to(path)
    return str(folder)
