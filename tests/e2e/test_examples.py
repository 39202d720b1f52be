"""What lies in examples/ works as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from tests.support.cli import ROOT, Cli
from tests.support.git import commit, git

EXAMPLES = ROOT / "examples"

_SCRIPT = """\
agent = "script"
[agents.script]
kind = "command"
command = ["/bin/sh", "-c", "mkdir -p web; echo x > web/{task}.txt; git add -A; git commit -q -m 'Work on {task}'"]
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """A person whose own agent is a script, in a repository that has taken over the example of command agents."""
    content = (EXAMPLES / "command-agent.toml").read_text("utf-8")
    commit(repository_folder, "Add command agents\n", {".orchestrate.toml": content, "b.py": "import sys\nimport os\n"})
    cli = Cli(repository_folder, _SCRIPT)
    cli("config", "trust", "--yes")
    return cli


def test_the_night_runs_as_one_file(cli: Cli) -> None:
    """The tasks of examples/night.toml are queued with their order, and a command agent does its part."""
    wanted = tomli.loads((EXAMPLES / "night.toml").read_text("utf-8"))["task"]
    tasks = cli.json("submit", "-F", str(EXAMPLES / "night.toml"))["tasks"]
    assert [task["title"] for task in tasks] == [task["title"] for task in wanted]
    assert tasks[1]["after"] == ["add-a-users-table"]
    cli.run()
    assert set(cli.states().values()) == {"finished"}
    below, above = cli.tasks()["add-a-users-table"], cli.tasks()["add-a-login-page"]
    assert above["base"] == below["tip"]
    assert git("show", "orch/sort-the-imports:b.py", cwd=cli.folder) == "import os\nimport sys"


def test_every_example_file_is_run_by_a_test() -> None:
    """A new example needs a test of its own here."""
    assert {path.name for path in EXAMPLES.iterdir()} == {"night.toml", "command-agent.toml"}
