"""The planning session as a person has it: on a terminal, with a model to talk to, through a kill -9, to a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Cli, saved, told
from tests.support.model_server import Hang, ModelServer
from tests.support.planner import NO_MODEL, one_by_one, planned, says, with_model
from tests.support.terminal import NEEDED, Terminal, terminal

pytestmark = NEEDED

FIRST = says(
    planned("schema", role="data-architect-governance", prompt=told("schema", saved("schema", "1"))),
    planned("api", "schema", prompt=told("api", "test -f schema", saved("api", "1"))),
)
DOCS = planned("docs", "schema", title="Write the docs", prompt=told("docs", saved("docs.txt", "1")))
SECOND = says(
    planned("schema", role="data-architect-governance", prompt=told("schema", saved("schema", "1"))),
    planned("api", "schema", prompt=told("api", "test -f schema", saved("api", "1")), size="large"),
    DOCS,
    reply="I added the docs.",
)


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, NO_MODEL)


@pytest.fixture
def screen(cli: Cli, tmp_path: Path) -> Iterator[Terminal]:
    with terminal(tmp_path, cli.folder, cli.environment) as opened:
        yield opened


def graph(cli: Cli, name: str) -> dict[str, list[str]]:
    return {task["id"]: task["after"] for task in cli.json("plan", "show", name)["plan"]["tasks"]}


def test_from_a_goal_to_a_run(cli: Cli, screen: Terminal, tmp_path: Path) -> None:
    """Start, discuss, add, split, link, view, save, kill -9, continue, approve, run: every step is there after it."""
    with ModelServer(one_by_one(FIRST, SECOND)) as server:
        cli.configure(with_model(server))
        screen.orchestrate("plan", "Build an API")
        screen.shows("asking claude", "Build an API", "Phase 1", "schema", "Phase 2", "api", "plan> ")
        screen.type("discuss and docs, don't forget those")
        screen.shows("I added the docs.", "+ docs  Write the docs", "size: small", "large", "Take it? [y/N]:")
        screen.type("y")
        screen.shows("taken", "3 tasks", "critical path: schema", "plan> ")
    assert "don't forget those" in server.requests[1].last_text
    name = "build-an-api"
    screen.clear()
    screen.type('add "Write a client" --after api')
    screen.shows("added write-a-client", "plan> ")
    screen.type("split write-a Read part; Write part")
    screen.shows("split write-a-client into read-part, write-part", "plan> ")
    screen.type("split write-part First; Last --chain")
    screen.shows("split write-part into first, last", "plan> ")
    assert "first" in graph(cli, name)["last"]
    screen.type("remove last first")
    screen.shows("removed last, first", "plan> ")
    screen.type("l read docs")
    screen.shows("read-part waits for docs", "plan> ")
    screen.type("link schema docs")
    screen.shows("error: these tasks wait for each other", "plan> ")
    screen.clear()
    screen.type("view read")
    screen.shows("read-part", "After", "api, docs", "plan> ")
    screen.type("save")
    screen.shows("saved in", f"plans/{name}", "plan> ")
    expected = {"schema": [], "api": ["schema"], "docs": ["schema"], "read-part": ["api", "docs"]}
    assert graph(cli, name) == expected

    screen.kill_program()
    screen.shows("Killed")
    screen.close()
    assert graph(cli, name) == expected
    with terminal(tmp_path, cli.folder, cli.environment) as another:
        _goes_on_to_a_run(cli, another)


def _goes_on_to_a_run(cli: Cli, screen: Terminal) -> None:
    screen.orchestrate("plan", "continue", "build")
    screen.shows("you", "don't forget those", "I added the docs.", "Build an API", "4 tasks", "plan> ")
    screen.type("remove read-part")
    screen.shows("removed read-part", "plan> ")
    assert cli.tasks() == {}
    screen.clear()
    screen.type("approve")
    screen.shows("schema", "api", "after schema", "Run them now? [y/N]:")
    screen.type("y")
    screen.shows("3 to review")
    screen.type("echo it ended with $?")
    screen.shows("it ended with 0")
    assert cli.states() == {"schema": "finished", "api": "finished", "docs": "finished"}


def test_without_a_model_the_session_works_and_says_so(cli: Cli, screen: Terminal) -> None:
    """Heuristics are labelled, what needs a model says how to get one, mistakes are told, and quit saves."""
    screen.orchestrate("plan")
    screen.shows("What do you want to reach?")
    screen.type("Add a, b and c")
    screen.shows("no model is available", "made by heuristics, not by a model", "plan> ")
    screen.type("help")
    screen.shows("discuss TEXT", "approve [--run]", "plan> ")
    for line, words in (
        ("discuss make it smaller", "error: there is no model to discuss the plan with"),
        ("dance", "error: unknown verb dance"),
        ("remove nobody", "error: there is no task nobody in the plan"),
        ("remove", "error: Missing argument 'TASK...'"),
        ('add "open', "error: a quotation mark is not closed"),
        ("modify -h", "Change fields of a task."),
        ("o add-c", "put add-c first"),
        ("take", "error: there is no proposal for"),
    ):
        screen.clear()
        screen.type(line)
        screen.shows(words, "plan> ")
    screen.type("quit")
    screen.shows("next: orchestrate plan continue add-a-b-and-c")
    assert list(graph(cli, "add-a")) == ["add-c", "add-a", "add-b"]


def test_ctrl_c_loses_nothing(cli: Cli, screen: Terminal) -> None:
    """Ctrl-C ends a question to the model and leaves the plan; at the prompt it ends the session, and all is saved."""
    with ModelServer(one_by_one(FIRST, Hang())) as server:
        cli.configure(with_model(server))
        screen.orchestrate("plan", "Build an API")
        screen.shows("Phase 2", "plan> ")
        screen.type("discuss smaller")
        server.wait_for(2)
        screen.press("C-c")
        screen.shows("interrupted; the plan is as it was", "plan> ")
        screen.type("remove api")
        screen.shows("removed api", "plan> ")
        screen.press("C-c")
        screen.shows("next: orchestrate plan continue build-an-api")
        screen.type("echo it ended with $?")
        screen.shows("it ended with 130")
    found = cli.json("plan", "show", "build")["plan"]
    assert [task["id"] for task in found["tasks"]] == ["schema"]
    assert [said["text"] for said in found["conversation"]][-1] == "smaller"


@pytest.mark.parametrize("again", [("continue", "build"), ("Build an API",)])
def test_a_plan_that_was_cut_off_while_it_was_drawn_up_goes_on(
    cli: Cli, screen: Terminal, again: tuple[str, ...]
) -> None:
    """Killed while the model thinks, the goal is kept; `continue`, or the same goal again, asks again."""
    with ModelServer(one_by_one(Hang(), FIRST)) as server:
        cli.configure(with_model(server))
        screen.orchestrate("plan", "Build an API")
        server.wait_for(1)
        screen.kill_program()
        screen.shows("Killed")
        assert graph(cli, "build") == {}
        screen.orchestrate("plan", *again)
        screen.shows("asking claude", "schema", "plan> ")
        screen.press("C-d")
        screen.shows("next: orchestrate plan continue build-an-api")
    assert graph(cli, "build") == {"schema": [], "api": ["schema"]}


def test_words_of_a_model_cannot_steer_the_session(cli: Cli, screen: Terminal) -> None:
    """A reply with escape codes is shown as text, and what it proposes is taken only when the person says so."""
    hostile = says(planned("docs"), reply="\x1b[2J\x1b]0;owned\x07take it")
    with ModelServer(one_by_one(FIRST, hostile)) as server:
        cli.configure(with_model(server))
        screen.orchestrate("plan", "Build an API")
        screen.shows("Phase 2", "plan> ")
        screen.type("discuss smaller")
        screen.shows("\\x1b[2J\\x1b]0;owned\\x07take it", "- schema", "Take it? [y/N]:")
        screen.type("n")
        screen.shows("left; the plan is as it was", "plan> ")
    assert graph(cli, "build") == {"schema": [], "api": ["schema"]}
