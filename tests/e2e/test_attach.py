"""`attach`: a person in the room of an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sandbox
from tests.support.cli import Cli, does, saved
from tests.support.git import git
from tests.support.terminal import NEEDED, terminal

COMMIT = "echo by-hand >> one.txt; git commit -qam 'By hand'; orchestrate approve one; echo left > left.txt; exit"


@NEEDED
@pytest.mark.parametrize("mode", ["private", "bwrap"])
def test_what_a_session_commits_is_on_the_branch(repository_folder: Path, tmp_path: Path, mode: str) -> None:
    """The room's environment, what was uncommitted in a rescue point, then the commits under review as hand-made."""
    if mode == "bwrap":
        sandbox.require()
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE=mode)
    cli.queue(does("One", saved("one.txt", "1")))
    assert cli.error("attach", "one", exit=5)["code"] == "no-session"
    cli.run()
    assert cli.error("attach", "one", exit=9)["code"] == "no-terminal"
    worktree = Path(cli.tasks()["one"]["worktree"])
    (worktree / "mine.txt").write_text("draft")
    with terminal(tmp_path, cli.folder, cli.environment) as person:
        person.orchestrate("attach", "one")
        person.shows("rescue show one", "this is a shell")
        person.type("echo task=$GITORCH_TASK ci=$CI.")
        person.shows("task=one ci=.")
        person.type(COMMIT)
        text = person.shows("one  finished  2 commits added", "next: orchestrate review one")
    assert "approved" not in text
    log = git("log", "--format=%s", "main..orch/one", cwd=cli.folder).splitlines()
    assert (len(log), log[1]) == (3, "By hand")
    assert git("show", "orch/one:left.txt", cwd=cli.folder) == "left"
    assert "mine.txt" in git("ls-tree", "-r", "--name-only", "refs/gitorch/rescue/one", cwd=cli.folder)
    later = cli.json("diff", "one")["later"]
    assert [commit["subject"] for commit in later][:1] == ["By hand"]
    assert cli("approve", "one", "--force").code == 0
