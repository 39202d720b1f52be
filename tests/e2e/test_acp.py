"""A night with an ACP agent: what it asks for waits for a person, and the session goes on with the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import forkserver
from tests.support.cli import Cli, does, saved
from tests.support.git import git


@pytest.mark.usefixtures("forked_acp")
def test_an_acp_agent_asks_and_goes_on(repository_folder: Path) -> None:
    """Work, events and cost are those of any agent; a permission that it lacks is a question; `resume` answers it."""
    command = "command = [{}]".format(", ".join(f'"{word}"' for word in forkserver.acp_agent("--login")))
    cli = Cli(repository_folder, f'agent = "any"\n[agents.any]\nkind = "acp"\nauth_method = "key"\n{command}\n')
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    outside = cli.folder.parent / "outside.txt"
    cli.queue(
        does("Work", "acp write kept.txt edit", saved("a.txt", "one"), "acp cost 0.5", "acp say All done.", id="work"),
        does("Ask", f"acp write {outside} edit", saved("b.txt", "two"), id="ask"),
        does("Fail", "acp error 401 Invalid key", id="fail"),
    )
    cli.run(ok=(0, 4, 6, 9))
    tasks = cli.tasks()
    assert {name: task["state"] for name, task in tasks.items()} == {
        "work": "finished",
        "ask": "waiting",
        "fail": "queued",
    }
    assert tasks["work"]["cost"]["usd"] == 0.5
    assert tasks["ask"]["question"].startswith("May it do this outside of its worktree: Write ")
    assert "not logged in" in tasks["fail"]["reason"]
    assert git("ls-tree", "--name-only", "orch/work", "--", "a.txt", "kept.txt", cwd=cli.folder) == "a.txt\nkept.txt"
    log = cli("log", "work").text
    assert "All done." in log
    assert "git commit" in log
    assert not outside.exists()
    cli("resume", "ask", "-m", "yes")
    cli.run(ok=4)
    resumed = cli.tasks()["ask"]["attempt"]
    assert (resumed["resumed"], resumed["session"]) == (True, tasks["ask"]["attempt"]["session"])
    assert cli.states() == {"work": "finished", "ask": "finished", "fail": "queued"}
    assert outside.read_text() == "written\n"
    assert git("show", "orch/ask:b.txt", cwd=cli.folder) == "two"
