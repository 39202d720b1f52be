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


@pytest.mark.usefixtures("forked_acp")
def test_an_acp_agent_that_finds_its_database_locked_starts_again(repository_folder: Path) -> None:
    """Its agent is not held for it, and the next attempt begins a session: there is none to go on with."""
    command = "command = [{}]".format(", ".join(f'"{word}"' for word in forkserver.acp_agent("--busy")))
    cli = Cli(repository_folder, f'agent = "any"\n[agents.any]\nkind = "acp"\n{command}\n')
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    cli.queue(does("Work", saved("a.txt", "one"), id="work"))
    text = cli.run().text
    assert "retrying after: It ended: Error: database is locked" in text
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"], task["attempt"]["resumed"]) == ("finished", 2, False)


@pytest.mark.usefixtures("forked_acp")
@pytest.mark.parametrize("options", [("--login",), ("--login", "--no-sessions")])
def test_an_acp_agent_answers_questions(repository_folder: Path, options: tuple[str, ...]) -> None:
    """`??` is asked in its session, or with the task where it has none; it may not write, and what it wrote is kept."""
    command = "command = [{}]".format(", ".join(f'"{word}"' for word in forkserver.acp_agent(*options)))
    cli = Cli(repository_folder, f'agent = "any"\n[agents.any]\nkind = "acp"\nauth_method = "key"\n{command}\n')
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    cli.queue(does("Work", saved("a.txt", "one"), "acp say All done.", id="work"))
    cli.run()
    before = cli.tasks()["work"]
    script = "#!do\necho meddled > meddled.txt\nacp say Answer 1: because one\n#!end"
    cli("revise", "work", "-m", f"?? why one\n{script}")
    cli.run()
    after = cli.tasks()["work"]
    assert (after["state"], after["tip"], after["comments"]) == ("finished", before["tip"], [])
    assert [comment["answer"] for comment in after["answered"]] == ["because one"]
    assert after["attempt"]["resumed"] is ("--no-sessions" not in options)
    assert after["attempt"]["summary"] == "All done."
    assert git("status", "--porcelain", cwd=Path(after["worktree"])) == ""
    (point,) = cli.json("rescue", "list")["points"]
    assert "meddled.txt" in git("ls-tree", "--name-only", point["commit"], cwd=cli.folder).split()
    cli("revise", "work", "-m", "?? and what\n#!do\nacp write kept.txt edit\nacp say Answer 1: this\n#!end")
    cli.run()
    asked = cli.tasks()["work"]
    assert (asked["state"], asked["tip"]) == ("finished", before["tip"])
    assert "did not answer your questions" in asked["reason"]
    assert [comment["text"].splitlines()[0] for comment in asked["comments"]] == ["?? and what"]
    cli("approve", "work", "--force")
    assert cli.json("merge")["merged"][0]["id"] == "work"
