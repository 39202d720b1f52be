"""How attempts end, with a scripted `claude`: what its task becomes, and what a person is told."""

from __future__ import annotations

import json
import shutil
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.test_night import person
from tests.support.cli import ROOT, Cli, does
from tests.support.git import git
from tests.support.model_server import ModelRequest, ModelServer, Say, Turn, write_file

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
    idle = cli.run(ok=9)  # nobody answered: nothing starts
    assert "0 tasks, " in idle.stderr
    assert "no task finished, 1 with a question" in idle.text
    assert 'orchestrate resume choose -m "..."' in idle.text
    assert cli.error("resume", "choose", exit=9)["why"] == "Postgres or SQLite?"
    cli("resume", "choose", "-m", "SQLite\n#!claude work db.txt")
    cli.run()
    after = cli.tasks()["choose"]
    assert (after["state"], after["attempt"]["outcome"], after["attempt"]["resumed"]) == ("finished", "finished", True)
    assert after["attempt"]["session"] == task["attempt"]["session"]
    assert "The user answers:\n\nSQLite\n" in cli("task", "choose", "--brief").text
    assert cli.error("resume", "choose", "-m", "more", exit=5)["code"] == "finished"


def test_an_answer_survives_the_attempt_that_was_told_it(cli: Cli) -> None:
    """The session with the answer crashes, also twice: a fresh attempt is told the question and the answer."""
    cli.queue(told("Choose", "ask", "Postgres or SQLite?"))
    cli.run(ok=9)
    cli("resume", "choose", "-m", "MongoDB\n#!claude cut")
    cli.run(ok=6)
    assert cli.tasks()["choose"]["state"] == "failed"
    cli("resume", "choose")
    cli.run(ok=6)
    assert "The user answers:\n\nMongoDB\n" in cli("task", "choose", "--brief").text
    cli("retry", "choose")
    cli.run("-c", "run.retries=0", ok=6)
    told_again = cli("task", "choose", "--brief").text
    assert "Question: Postgres or SQLite?\n\nAnswer: MongoDB\n" in told_again
    assert cli.tasks()["choose"]["attempt"]["resumed"] is False


def test_a_service_that_is_down_takes_no_other_task_with_it(cli: Cli) -> None:
    """Its first task fails twice and waits; nothing else is started into the outage, and the run says why it ends."""
    cli.queue(*(told(f"Number {number}", "fail", "overloaded") for number in (1, 2, 3)))
    soon = (datetime.now() + timedelta(minutes=2)).strftime("%H:%M")
    ended = cli.run("-m", "1", "--until", soon, ok=8)
    tasks = cli.tasks()
    assert {name: (task["state"], task["attempts"]) for name, task in tasks.items()} == {
        "number-1": ("waiting", 2),
        "number-2": ("queued", 0),
        "number-3": ("queued", 0),
    }
    assert tasks["number-1"]["reason"].startswith("API Error: overloaded; goes on at ")
    assert "the service of claude failed: it goes on at " in ended.text + ended.stderr
    assert "3 tasks wait for it" in ended.text + ended.stderr


@pytest.mark.real_agents
def test_questions_of_real_agents_are_answered_in_their_sessions(repository_folder: Path) -> None:
    """`claude`, `codex` and the API agent that only ask wait for the answer, and go on with it where they asked."""

    def brain(request: ModelRequest) -> Turn:
        if "SQLite, please" in request.prompt + request.last_text and request.step == 0:
            return write_file("db.txt", "sqlite\n")
        return Say("Done.") if request.turn else Say("I found two ways. Postgres or SQLite?")

    with ModelServer(brain) as server:
        cli = person(repository_folder, server)
        cli.environment["GITORCH_SANDBOX_MODE"] = "off"
        for agent in ("claude", "codex", "api"):
            cli("submit", f"Choose {agent}", "--agent", agent)
        cli.run(ok=9)
        asked = cli.tasks()
        for name, task in asked.items():
            assert (task["state"], task["attempt"]["outcome"]) == ("waiting", "asked"), name
            assert task["question"] == "I found two ways. Postgres or SQLite?"
            cli("resume", name, "-m", "SQLite, please")
        cli.run()
        answered = [request for request in server.requests if "SQLite, please" in request.last_text]
    assert all("# Task: Choose" in request.prompt for request in answered)
    for name, task in cli.tasks().items():
        assert (task["state"], task["attempt"]["resumed"]) == ("finished", True), name
        assert task["attempt"]["session"] == asked[name]["attempt"]["session"], name
        assert git("show", f"orch/{name}:db.txt", cwd=cli.folder) == "sqlite"


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
    assert ends["long"][:3] == ("failed", "setup", 1)


def test_a_session_that_was_never_written_is_started_afresh(cli: Cli) -> None:
    """Interrupted while the agent starts, the next run does not resume what is not there."""
    home = Path(cli.environment["HOME"])
    cli.queue(told("Begin", "unwritten"))
    with cli.start("run") as run:
        run.goes_on_until((home / "started").exists)
        run.process.send_signal(signal.SIGINT)
        assert run.end().code == 130
    assert cli.tasks()["begin"]["reason"] == "interrupted", "there is no work yet"
    (home / "released").touch()
    cli.run()
    task = cli.tasks()["begin"]
    assert (task["state"], task["attempt"]["resumed"]) == ("finished", False)


def test_work_of_an_interrupted_attempt_counts_as_the_tasks_own(cli: Cli) -> None:
    """The agent of the next run finds its work done: that is not "no changes", whether or not it has a session."""
    cli.queue(told("Part", "hang", "part.txt"))
    with cli.start("run") as run:
        run.goes_on_until(lambda: list(cli.folder.parent.glob("*.orch/part/part.txt")) != [])
        run.process.send_signal(signal.SIGINT)
        assert run.end().code == 130
    assert cli.tasks()["part"]["reason"] == "interrupted; its work is on its branch"
    shutil.rmtree(Path(cli.environment["HOME"]) / "scripted-sessions")
    cli("resume", "part", "-m", "#!claude nothing")
    cli.run()
    task = cli.tasks()["part"]
    assert (task["state"], task["attempts"]) == ("finished", 3)


def test_a_refused_login_holds_the_agent_at_once(cli: Cli) -> None:
    """The first retry with 401 ends the attempt, and no other task is started into it."""
    cli.queue(told("One", "unauthorized"), told("Two", "work"))
    began = time.monotonic()
    answer = cli.run("-m", "1", ok=4)
    assert time.monotonic() - began < 60
    tasks = cli.tasks()
    assert {name: (task["state"], task["attempts"]) for name, task in tasks.items()} == {
        "one": ("queued", 1),
        "two": ("queued", 0),
    }
    assert tasks["one"]["attempt"]["outcome"] == "setup"
    words = " ".join(answer.text.split())
    assert "claude is not logged in, or has no credits: authentication_failed (401)" in words
    assert "2 tasks wait for it" in words


def test_review_comments_answer_a_question_too(cli: Cli) -> None:
    """`revise` on a task with a question is the answer; `retry` starts over."""
    cli.queue(told("Choose", "ask", "Which?"))
    cli.run(ok=9)
    cli("revise", "choose", "-m", "That\n#!claude work")
    cli.run()
    task = cli.tasks()["choose"]
    assert (task["state"], task["attempt"]["resumed"], task["comments"]) == ("finished", True, [])


def test_what_a_task_cost_is_the_sum_of_its_attempts(cli: Cli) -> None:
    """Each attempt is on its page, and a price of the user's own replaces what the agent says."""
    cli.queue(told("Cut", "cut"), {**told("Spend", "cut"), "budget": 0.3})
    cli.run("-m", "1", ok=6)
    tasks = cli.tasks()
    assert [attempt["cost"]["usd"] for attempt in tasks["cut"]["past"]] == [0.25]
    assert tasks["cut"]["cost"]["usd"] == 0.5
    assert "$0.50 in 2 attempts" in cli("task", "cut").text
    cli.configure(AGENT + "prices = { input = 1_000_000, output = 2_000_000 }\n")
    cli("retry", "cut")
    cli.run(ok=6)
    assert cli.tasks()["cut"]["cost"]["usd"] == 0.5 + 2 * 20


def test_work_that_was_not_taken_is_named(repository_folder: Path) -> None:
    """An agent that crashes may also have committed what is refused: both are said."""
    cli = Cli(repository_folder)
    cli.queue(does("Link", "ln -s /etc/passwd out", "git add -A", "git commit -qm out", "exit 3"))
    cli.run("-c", "run.retries=0", ok=6)
    text = cli("task", "link").text
    assert "exit code 3" in text
    assert "what it had done was not taken: " in text
