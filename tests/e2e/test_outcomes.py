"""How attempts end, with a scripted `claude`: what its task becomes, and what a person is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import ROOT, Cli

AGENT = f"""\
agent = "claude"
[agents.claude]
kind = "claude"
path = {json.dumps(str(ROOT / "tests" / "support" / "scripted_claude.py"))}
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """The command line of a person whose `claude` is scripted."""
    return Cli(repository_folder, AGENT, GITORCH_SANDBOX_MODE="off")


def told(title: str, *behaviour: str) -> dict[str, str]:
    """Return a task whose agent behaves in one way."""
    return {"prompt": f"{title}\n#!claude {' '.join(behaviour)}"}


def test_a_question_waits_and_its_answer_goes_on_in_the_same_session(cli: Cli) -> None:
    """The question is on the boards, `run` says by its exit code that an answer is needed, and `resume` gives it."""
    cli.queue(told("Choose", "ask", "Postgres or SQLite?"))
    cli.run(ok=9)
    task = cli.tasks()["choose"]
    assert (task["state"], task["question"], task["attempt"]["outcome"]) == ("waiting", "Postgres or SQLite?", "asked")
    assert "Postgres or SQLite?" in cli("status").text
    assert 'orchestrate resume choose -m "..."' in cli("task", "choose").text
    cli.run(ok=0)  # nobody answered: nothing starts
    assert cli.error("resume", "choose", exit=9)["why"] == "Postgres or SQLite?"
    cli("resume", "choose", "-m", "SQLite\n#!claude work db.txt")
    cli.run()
    after = cli.tasks()["choose"]
    assert (after["state"], after["attempt"]["outcome"], after["attempt"]["resumed"]) == ("finished", "finished", True)
    assert after["attempt"]["session"] == task["attempt"]["session"]
    assert "The user answers:\n\nSQLite\n" in cli("task", "choose", "--brief").text
    assert cli.error("resume", "choose", "-m", "more", exit=5)["code"] == "finished"


def test_every_end_has_an_outcome(cli: Cli) -> None:
    """What ended otherwise than finished is said, and only what may pass is tried again."""
    cli.queue(
        told("Nothing", "nothing"),
        told("Deny", "deny"),
        told("Cut", "cut"),
        told("Long", "fail", "prompt is too long"),
        told("Left", "leave"),
    )
    cli.run(ok=6)
    ends = {
        name: (task["state"], task["attempt"]["outcome"], task["attempts"], task["reason"] or "")
        for name, task in cli.tasks().items()
    }
    assert ends["nothing"] == ("failed", "no changes", 1, "no changes")
    assert ends["deny"] == ("failed", "refused", 1, "no changes; denied: Bash: make")
    assert ends["cut"] == ("failed", "crashed", 2, "its last message was cut off at the output limit")
    assert ends["left"] == ("finished", "finished", 1, "")
    assert ends["long"][:3] == ("failed", "crashed", 1)


def test_review_comments_answer_a_question_too(cli: Cli) -> None:
    """`revise` on a task with a question is the answer; `retry` starts over."""
    cli.queue(told("Choose", "ask", "Which?"))
    cli.run(ok=9)
    cli("revise", "choose", "-m", "That\n#!claude work")
    cli.run()
    task = cli.tasks()["choose"]
    assert (task["state"], task["attempt"]["resumed"], task["comments"]) == ("finished", True, [])
