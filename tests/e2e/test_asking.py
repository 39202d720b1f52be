"""Questions to the agent: `??` asks, the agent answers, and its branch stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_night import person
from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git
from tests.support.model_server import ModelRequest, ModelServer, Say, Turn, write_file

AGENT = f"""\
agent = "claude"
[agents.claude]
kind = "claude"
path = {json.dumps(str(Path(__file__).parents[1] / "support" / "scripted_claude.py"))}
[checks]
test = "test -f work.txt"
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """The command line of a person whose `claude` is scripted."""
    return Cli(repository_folder, AGENT, GITORCH_SANDBOX_MODE="off")


def finished(cli: Cli) -> dict[str, Any]:
    """Queue a task and one that builds on it, run both, and return the first one."""
    cli.queue({"prompt": "Work\n#!claude work work.txt"}, {"prompt": "Top\n#!claude work top.txt", "after": ["work"]})
    cli.run()
    return cli.tasks()["work"]


@pytest.mark.parametrize("mode", ["off", "bwrap"])
def test_an_answer_changes_nothing(cli: Cli, mode: str) -> None:
    """The answer is beside the question everywhere; what the agent changes is put aside, or refused by the box."""
    if mode == "bwrap":
        sandbox.require()
    cli.environment["GITORCH_SANDBOX_MODE"] = mode
    before = finished(cli)
    question = "?? why a file\n#!claude meddle Answer 1: because **two**\\nlines"
    commented = cli.json("comment", "work", "work.txt:1", "-m", question)["task"]["comments"]
    assert commented[0]["text"] == question
    asked = cli.json("revise", "work")["task"]
    assert (asked["state"], asked["reason"]) == ("queued", None)
    assert "asks 1 question" in cli("status").text
    assert cli.tasks()["top"]["stale"] is False
    cli.run()
    after = cli.tasks()["work"]
    assert (after["state"], after["tip"], after["checks"]) == ("finished", before["tip"], before["checks"])
    assert git("rev-parse", "orch/work", cwd=cli.folder) == before["tip"]
    assert git("status", "--porcelain", cwd=Path(after["worktree"])) == ""
    attempt = after["attempt"]
    assert (attempt["outcome"], attempt["resumed"], attempt["summary"]) == ("answered", True, "Done.")
    assert attempt["session"] == before["attempt"]["session"]
    assert (after["comments"], after["answered"][0]["answer"]) == ([], "because **two**\nlines")
    for page in (cli("review", "work").text, cli("task", "work").text):
        assert "because **two**" in page
        assert ("the agent was only asked, and changed files" in page) is (mode == "off")
    look = cli.json("diff", "work", "--since-review")["since_review"]
    assert (look["verdict"], look["hunks"]) == ("ask", [])
    assert look["comments"][0]["answer"] == {"kind": "answered", "text": "because **two**\nlines"}
    points = cli.json("rescue", "list")["points"]
    kept = {path for point in points for path in git("ls-tree", "--name-only", point["commit"], cwd=cli.folder).split()}
    assert kept & {"meddled.txt", "left.txt"} == ({"meddled.txt", "left.txt"} if mode == "off" else set())
    cli("approve", "work", "top")
    cli("merge")
    merged = git("ls-tree", "--name-only", "orch/integration", cwd=cli.folder).split()
    assert {"work.txt", "top.txt"} <= set(merged)
    assert not {"meddled.txt", "left.txt"} & set(merged)


def test_questions_without_an_answer_wait(cli: Cli) -> None:
    """No words, a failing agent, a kill: the task is as it was, says why, and still has its questions."""
    before = task = finished(cli)
    for order, words in (
        ("silent", "it gave no answer"),
        ("fail the context is too long", "the context is too long"),
        ("reply Answer 2: only this", "attempt 4 did not answer question 1"),
    ):
        cli("revise", "work", "-m", f"?? one\n#!claude {order}")
        cli.run()
        task = cli.tasks()["work"]
        assert (task["state"], task["tip"], task["checks"]) == ("finished", before["tip"], before["checks"])
        assert words in task["reason"]
        assert words in cli("status").text
    assert [comment["answer"] for comment in task["answered"]] == ["only this"]
    assert len(task["comments"]) == 2
    assert cli("review", "work", "-F", "-", input=b"@gitorch comment\n?? one\n", ok=10).code == 10
    cli("revise", "work")
    cli("kill", "work")
    task = cli.tasks()["work"]
    assert (task["state"], task["reason"].rpartition("; ")[2]) == ("finished", "your questions were not asked: killed")
    cli("revise", "work")
    cli("undo")
    assert cli.tasks()["work"]["state"] == "finished"


def test_questions_beside_other_comments(cli: Cli) -> None:
    """One attempt mends and answers; a comment that is added to queued questions makes it such a review."""
    finished(cli)
    review = b"?? why so\n> +work\nmust: say fixed\n?? and this one\n@gitorch revise\n"
    cli("review", "work", "-F", "-", input=review)
    assert cli.tasks()["top"]["stale"] is True
    cli("undo")
    cli("undo")
    cli("comment", "work", "-m", "?? why so")
    cli("revise", "work")
    cli("comment", "work", "work.txt:1", "-m", "say fixed\n#!claude mended Answer 1: so\\nComment 2: done")
    task = cli.tasks()["work"]
    assert (task["reason"], cli.tasks()["top"]["stale"]) == ("sent back", True)
    cli.run()
    task = cli.tasks()["work"]
    assert (task["attempt"]["outcome"], task["comments"]) == ("finished", [])
    assert [(comment["text"], comment["answer"]) for comment in task["answered"]] == [("?? why so", "so")]
    look = cli.json("diff", "work", "--since-review")["since_review"]
    assert [comment["answer"] and comment["answer"]["kind"] for comment in look["comments"]] == ["answered"]
    brief = cli("task", "work", "--brief").text
    assert "Question 1. ?? why so\n\n(a question: answer it, and change nothing for it)" in brief
    assert "Comment 2. `work.txt:1`: say fixed" in brief


def test_a_command_gets_the_questions_with_the_task(repository_folder: Path) -> None:
    """An agent without sessions is told the task, where its work is, and the questions."""
    cli = Cli(repository_folder, OBEDIENT, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Work", "echo x > a.txt", id="work"))
    cli.run()
    cli("revise", "work", "-m", "?? why\n#!do\necho 'Answer 1: since'; echo y > a.txt\n#!end")
    cli.run()
    assert cli.tasks()["work"]["answered"][0]["answer"] == "since"
    brief = cli("task", "work", "--brief").text
    assert "# Task: Work" in brief
    assert "Only answer them: change no file and make no commit" in brief
    assert "Commit your work" not in brief
    assert git("show", "orch/work:a.txt", cwd=cli.folder) == "x"


@pytest.mark.real_agents
def test_real_agents_answer_in_their_sessions(repository_folder: Path) -> None:
    """`claude`, `codex` and the API agent get the questions alone, in the session that did the work."""

    def brain(request: ModelRequest) -> Turn:
        if "has questions" in request.last_text:
            return Say("Answer 1: as you asked")
        return write_file("work.txt", "work\n") if request.turn == 0 else Say("done")

    with ModelServer(brain) as server:
        cli = person(repository_folder, server)
        cli.environment["GITORCH_SANDBOX_MODE"] = "off"
        agents = ("claude", "codex", "api")
        for agent in agents:
            cli("submit", f"Work {agent}", "--agent", agent)
        cli.run()
        before = cli.tasks()
        first = len(server.requests)
        for name in before:
            cli("revise", name, "-m", "?? why")
        cli.run()
        asked = [request for request in server.requests[first:] if "has questions" in request.last_text]
        after = cli.tasks()
    assert len(asked) == len(agents)
    assert all("# Task: Work" in request.prompt and "# Task: Work" not in request.last_text for request in asked)
    for name, task in after.items():
        assert (task["state"], task["tip"]) == ("finished", before[name]["tip"]), name
        assert [comment["answer"] for comment in task["answered"]] == ["as you asked"], name
        assert task["attempt"]["resumed"] is True, name
