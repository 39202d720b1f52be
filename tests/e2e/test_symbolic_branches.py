"""Branches of gitorch's that an agent makes symbolic refs to the user's: these do not move, and it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import git


@pytest.fixture(params=["private", "off"])
def cli(request: pytest.FixtureRequest, repository_folder: Path) -> Cli:
    return Cli(repository_folder, OBEDIENT, GITORCH_SANDBOX_MODE=request.param)


def made_symbolic(cli: Cli, branch: str) -> str:
    """Return the script of an agent that makes a branch another name of main, past every hook."""
    file = cli.folder / ".git/refs/heads" / branch
    return f"mkdir -p '{file.parent}'; printf 'ref: refs/heads/main\\n' > '{file}'"


def test_the_work_of_a_task_does_not_go_to_the_branch_that_its_own_names(cli: Cli) -> None:
    main = git("rev-parse", "main", cwd=cli.folder)
    cli.queue(does("Work", "echo x > x.txt", made_symbolic(cli, "orch/work"), id="work"))
    cli.run(ok=6)
    assert git("rev-parse", "main", cwd=cli.folder) == main
    task = cli.tasks()["work"]
    assert task["state"] == "failed"
    assert "main" in task["reason"]


def test_a_merge_does_not_move_the_branch_that_the_integration_branch_names(cli: Cli) -> None:
    main = git("rev-parse", "main", cwd=cli.folder)
    cli.queue(does("Work", saved("x.txt", "x"), made_symbolic(cli, "orch/integration"), id="work"))
    assert "refs/heads/orch/integration appeared" in cli.run(ok=6).text
    cli("approve", "work", ok=(0, 6))
    assert cli.error("merge", exit=5)["code"] == "symbolic-ref"
    assert git("rev-parse", "main", cwd=cli.folder) == main
    git("symbolic-ref", "--delete", "refs/heads/orch/integration", cwd=cli.folder)
    cli("merge", ok=(0, 6))
    assert cli.states() == {"work": "merged"}
