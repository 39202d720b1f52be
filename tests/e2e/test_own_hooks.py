"""The repository's own hooks judge every commit of a task, also the one that gitorch makes of what an agent left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_outcomes import AGENT, told
from tests.support.cli import Cli, does
from tests.support.git import git

PRE_COMMIT = """\
#!/bin/sh
git diff --cached | grep -q 'BEGIN PRIVATE' || exit 0
echo "secret found, commit refused" >&2
exit 1
"""
COMMIT_MSG = """\
#!/bin/sh
echo 'Checked-by: hook' >> "$1"
"""


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with two hooks of its own."""
    for name, text in (("pre-commit", PRE_COMMIT), ("commit-msg", COMMIT_MSG)):
        hook = repository_folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(0o755)
    return repository_folder


@pytest.mark.parametrize("mode", ["off", "private", "bwrap"])
def test_what_a_hook_refuses_is_in_a_rescue_point_and_not_committed(folder: Path, mode: str) -> None:
    """The outcome says what the hook said; work that it accepts is committed through it."""
    cli = Cli(folder, GITORCH_SANDBOX_MODE=mode)
    secret = "echo 1 > own; git add own; git commit -qm own; echo '-----BEGIN PRIVATE-----' > key; echo fine > fine"
    cli.queue(
        does("Leak", secret, "git add -A; git commit -qm work || true"),
        does("Fine", "echo one > one; git add one; git commit -qm one; echo fine > fine"),
    )
    cli.run(ok=6)
    tasks = cli.tasks()
    assert (tasks["leak"]["state"], tasks["leak"]["attempt"]["outcome"]) == ("failed", "hook refused")
    assert "secret found, commit refused" in tasks["leak"]["reason"]
    # what the agent committed itself is there
    assert {"key", "fine", "own"} & set(git("ls-tree", "--name-only", "orch/leak", cwd=folder).split()) == {"own"}
    assert {"key", "fine"} <= set(git("ls-tree", "--name-only", "refs/gitorch/rescue/leak", cwd=folder).split())
    assert tasks["fine"]["state"] == "finished"
    message = git("log", "-1", "--format=%B", "orch/fine", cwd=folder)
    assert message.splitlines()[0] == "Fine"
    assert "Checked-by: hook" in message
    assert message.count("Task: fine") == 1


def test_a_refusal_goes_back_to_the_agent(folder: Path) -> None:
    """As a failing check does: what the agent then makes of it is committed."""
    cli = Cli(folder, AGENT, GITORCH_SANDBOX_MODE="off")
    cli.queue(told("Mend", "mend", "key.txt"))
    cli.run()
    task = cli.tasks()["mend"]
    assert (task["state"], task["attempt"]["round"], task["attempts"]) == ("finished", 2, 1)
    assert git("show", "orch/mend:key.txt", cwd=folder) == "clean"
