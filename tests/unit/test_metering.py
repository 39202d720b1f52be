"""What a running agent has used, read from its stream call by call."""

from __future__ import annotations

import json

import msgspec
import pytest

from gitorch.agents import AGENTS
from gitorch.agents.prices import prices_of
from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings, PriceSettings
from gitorch.flow.attempt.metering import Meter, metered_usage, priced
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.spending import Spending

_MODEL = "claude-sonnet-4-5"


def message(name: str, output: int, **more: object) -> bytes:
    usage = {"input_tokens": 1_000, "cache_read_input_tokens": 500, "output_tokens": output}
    content = {"id": name, "model": _MODEL, "usage": usage, "content": []}
    return json.dumps({"type": "assistant", "message": content, **more}).encode()


@pytest.mark.parametrize("kind", ["claude", "api"])
def test_a_message_with_several_lines_counts_once(kind: str) -> None:
    """Each block of a message is a line with the usage of the message so far; subagents count, other lines do not."""
    lines = [
        b'{"type":"system","subtype":"init"}',
        message("a", 10),
        message("a", 90),
        message("b", 10, parent_tool_use_id="t1"),
        b'{"type":"user","message":{"content":"\\"assistant\\""}}',
        b'{"type":"assistant"',
    ]
    usage = metered_usage(AGENTS[kind], AgentSettings(kind="claude"), lines)
    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.turns) == (3_000, 1_000, 100, 2)
    assert metered_usage(AGENTS[kind], AgentSettings(kind="claude"), lines[:1]) is None


def test_an_execution_is_stopped_at_its_budget() -> None:
    """The call that reaches the budget is the last one; the user's prices count instead of published ones."""
    published: list[Usage] = []
    prices = PriceSettings(input=1_000.0, output=0.0)
    meter = Meter(AGENTS["claude"], AgentSettings(kind="claude", prices=prices), budget=3.0, publish=published.append)
    assert meter.judge(message("a", 10)) == ""
    assert meter.judge(message("b", 10)) == "its budget of $3.00 is used up"
    assert [usage.usd for usage in published] == [1.5, 3.0]


def test_prices_are_the_users_or_published_ones_for_codex() -> None:
    """Claude and the api agent say what they cost; an unlisted model has no price, and no command has one."""
    own = PriceSettings(input=1.0, output=2.0)
    codex = AgentSettings(kind="codex", model="gpt-5.3-codex")
    assert prices_of(codex) == PriceSettings(input=1.75, output=14.0, cached=0.175)
    assert prices_of(msgspec.structs.replace(codex, prices=own)) == own
    for settings in (
        AgentSettings(kind="codex"),
        AgentSettings(kind="codex", model="gpt-9"),
        AgentSettings(kind="claude", model="claude-opus-5"),
        AgentSettings(kind="command", model="gpt-5.5"),
    ):
        assert prices_of(settings) is None
    usage = priced(Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000), prices_of(codex))
    assert usage.usd == pytest.approx(0.6 * 1.75 + 0.4 * 0.175 + 1.4)


@pytest.mark.parametrize("agent", [AGENTS["codex"], AGENTS["command"]])
def test_agents_that_say_nothing_while_they_run(agent: Agent) -> None:
    assert metered_usage(agent, AgentSettings(kind="command"), [message("a", 10), b"text"]) is None


def test_spending_of_tasks() -> None:
    """A task counts once, with what it has used last, until it is forgotten."""
    spending = Spending()
    one, two = TaskId("one"), TaskId("two")
    spending.record(one, Usage(usd=1.0))
    spending.record(one, Usage(usd=2.0))
    spending.record(two, Usage(input_tokens=5))
    assert spending.total([one, two]) == Usage(usd=2.0, input_tokens=5)
    spending.forget(one)
    assert spending.total([one, two]).usd is None
