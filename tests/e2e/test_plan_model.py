"""`orchestrate plan` with a model, from the command line to the request and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import real
from tests.support.cli import Cli
from tests.support.model_server import Fault, Give, ModelServer, Say, Tokens, script
from tests.support.planner import one_by_one, with_model
from tests.support.planning import GOOD, answered, task

GOAL = 'Build a REST API with `auth`; say "hi" 🦀'
pytestmark = pytest.mark.usefixtures("forked_api")
ONCE = 'agents.api.args=["--retries", "0"]'


def cli(folder: Path, server: ModelServer | None) -> Cli:
    """Return the command line of a user with a key, where there is a server that takes it."""
    env = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": real.KEY} if server else {}
    return Cli(folder, "", **env)


def quick(folder: Path, server: ModelServer) -> Cli:
    """Return the command line of a user whose `claude` is a stand-in, where it does not matter who is asked."""
    user = Cli(folder, "")
    user.configure(with_model(server))
    return user


def ask(user: Cli, *words: str, **options: Any) -> dict[str, Any]:
    """Return the JSON answer of `orchestrate plan`."""
    return user.json("plan", *words, "--no-input", "-c", ONCE, **options)


def test_a_goal_becomes_a_plan_that_is_talked_over_approved_and_queued(repository_folder: Path) -> None:
    """The API draws it up and says what it cost; a discussion proposes a change; what is approved is queued."""
    more = answered(*GOOD["tasks"], task("docs", "api"), reply="Docs at the end.")
    with ModelServer(one_by_one(Give(GOOD, Tokens(1000, 0, 100)), Give(more))) as server:
        user = cli(repository_folder, server)
        with user.untouched():
            made = ask(user, GOAL, "--agent", "api", "--constraint", "no Java")["plan"]
            assert [one["id"] for one in made["tasks"]] == ["schema", "api"]
            assert made["made_by"] == "claude-sonnet-5"
            name = made["id"]
            ask(user, "discuss", name, "And documentation?", ok=9)
            ask(user, "take", name)
            assert [one["id"] for one in ask(user, "show", name)["plan"]["tasks"]] == ["schema", "api", "docs"]
        first, second = server.requests
        ask(user, "approve", name)
    assert GOAL in first.prompt
    assert "- no Java" in first.prompt
    told = "\n".join(text for _, text in second.conversation)
    assert "What must hold:\n- no Java" in told
    assert told.count(GOAL) == 1
    assert "And documentation?" in second.last_text
    assert user.states() == dict.fromkeys(["schema", "api", "docs"], "queued")
    assert user.tasks()["docs"]["after"] == ["api"]


def test_which_model_and_what_it_cost_is_told(repository_folder: Path) -> None:
    """The model's name, its tokens and dollars are on the terminal, also for a round that was mended."""
    bad = Give(answered(task("a", "b")), Tokens(1_000_000, 0, 0))
    with ModelServer(one_by_one(bad, Give(GOOD, Tokens(1_000_000, 0, 0)))) as server:
        said = quick(repository_folder, server)("plan", GOAL, "--no-input")
    assert "claude-sonnet-5" in said.text + said.stderr
    assert "$4.00" in said.text + said.stderr


@pytest.mark.parametrize(
    ("turn", "exit", "code"),
    [
        (Fault(401), 4, "agent-login"),
        (Fault(429, headers={"retry-after": "3600"}), 8, "model-limit"),
        (Say("No.", stop="refusal"), 5, "model-declined"),
        (Say("{"), 6, "plan-invalid"),
    ],
)
def test_a_model_that_gives_no_plan_leaves_none(turn: Any, exit: int, code: str, repository_folder: Path) -> None:
    """A clear error with its exit code, and no half-made plan."""
    with ModelServer(script(turn)) as server:
        user = quick(repository_folder, server)
        found = ask(user, GOAL, ok=exit)
    assert found["code"] == code
    assert ask(user, "list")["plans"] == []


def test_without_a_key_the_one_that_was_named_is_not_replaced(repository_folder: Path) -> None:
    """`--agent api` without a key is an error that says how to set one: no other agent, no heuristics."""
    user = cli(repository_folder, None)
    found = user.error("plan", GOAL, "--agent", "api", "--no-input", exit=4)
    assert found["code"] == "agent-login"
    assert found["fix"][0] == "export ANTHROPIC_API_KEY=..."


def test_a_key_makes_the_api_the_planner(repository_folder: Path) -> None:
    """Nothing is named, and a key is there: the API is asked."""
    with ModelServer(script(Give(GOOD))) as server:
        made = ask(cli(repository_folder, server), GOAL)["plan"]
        assert len(server.requests) == 1
    assert made["made_by"] == "claude-sonnet-5"


def test_what_a_model_says_cannot_reach_the_terminal_raw(repository_folder: Path) -> None:
    """Escape codes in a reply or a model's error are shown as text."""
    with ModelServer(script(Give(answered(*GOOD["tasks"], reply="\x1b]0;owned\x07 done")))) as server:
        said = quick(repository_folder, server)("plan", GOAL, "--no-input")
    assert "\x1b" not in said.text + said.stderr
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "\x1b[2J gone"}}
    with ModelServer(script(Fault(400, body))) as server:
        said = quick(repository_folder, server)("plan", GOAL, "--no-input", ok=6)
    assert "\x1b" not in said.text + said.stderr
    assert "gone" in said.stderr
