"""Count what an agent uses while it runs, from its own stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from gitorch.agents.prices import prices_of
from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings, PriceSettings
from gitorch.model.outcome import Usage

_MILLION = 1_000_000


class Meter:
    """Adds up the calls of the model that one execution reports, and judges whether it may go on.

    `budget` is in dollars, 0 for none. A call is reported several times, each time with all that it has used so far.
    """

    def __init__(
        self, agent: Agent, settings: AgentSettings, *, budget: float = 0.0, publish: Callable[[Usage], None]
    ) -> None:
        self.agent = agent
        self.settings = settings
        self.budget = budget
        self.publish = publish
        self.usage: Usage | None = None
        self.exceeded = ""
        self._calls: dict[str, Usage] = {}

    def judge(self, line: bytes) -> str:
        """Return why the execution that wrote a line should be stopped; empty if it should go on."""
        if reason := self.agent.hopeless(line):
            return reason
        if self.add(line) and self.usage and self.budget and (self.usage.usd or 0.0) >= self.budget:
            self.exceeded = f"its budget of ${self.budget:.2f} is used up"
        return self.exceeded

    def add(self, line: bytes) -> bool:
        """Count a line; return whether it says what a call has used."""
        call = self.agent.metered(line)
        if call is None:
            return False
        self._calls[call.id] = priced(call.usage, prices_of(self.settings))
        self.usage = sum(self._calls.values(), start=Usage())
        self.publish(self.usage)
        return True


def metered_usage(agent: Agent, settings: AgentSettings, lines: Iterable[bytes]) -> Usage | None:
    """Return what a whole stream reports call by call; None if it reports nothing."""
    meter = Meter(agent, settings, publish=lambda _: None)
    for line in lines:
        meter.add(line)
    return meter.usage


def priced(usage: Usage, prices: PriceSettings | None) -> Usage:
    """Return a usage at these prices, if there are any: they replace what the agent says about its cost."""
    if prices is None:
        return usage
    cached = prices.input if prices.cached is None else prices.cached
    uncached = usage.input_tokens - usage.cached_tokens
    usd = uncached * prices.input + usage.cached_tokens * cached + usage.output_tokens * prices.output
    return msgspec.structs.replace(usage, usd=usd / _MILLION)
