"""Count what an agent uses while it runs, from its own stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from gitorch.agents.prices import prices_of
from gitorch.agents.protocol import Agent, ModelCall
from gitorch.config import AgentSettings, PriceSettings
from gitorch.flow.attempt.call_log import CallLogReader
from gitorch.model.outcome import Usage, without_negatives

_MILLION = 1_000_000


class Meter:
    """Adds up the calls of the model that one execution reports, and judges whether it may go on.

    `budget` is in dollars, 0 for none. A call is reported several times, each time with all that it has used so far.
    `log` reads the calls of an agent whose stream does not report them.
    """

    def __init__(
        self,
        agent: Agent,
        settings: AgentSettings,
        *,
        budget: float = 0.0,
        publish: Callable[[Usage], None],
        log: CallLogReader | None = None,
    ) -> None:
        self.agent = agent
        self.settings = settings
        self.budget = budget
        self.publish = publish
        self.log = log
        self.usage: Usage | None = None
        self.exceeded = ""
        self._calls: dict[str, Usage] = {}

    def judge(self, line: bytes) -> str:
        """Return why the execution that wrote a line should be stopped; empty if it should go on."""
        if reason := self.agent.hopeless(line):
            return reason
        if self.log:
            self.log.see(line)
        return self._over_budget() if self.add(line) else self.exceeded

    def judge_log(self) -> str:
        """Return why the execution should be stopped by what its log says since the last call; empty: it goes on."""
        return self._over_budget() if self.add_logged() else self.exceeded

    def add_logged(self) -> bool:
        """Count what the log says since the last call; return whether it says anything."""
        calls = self.log.new_calls() if self.log else []
        for call in calls:
            self._count(call)
        return bool(calls)

    def add(self, line: bytes) -> bool:
        """Count a line; return whether it says what a call has used."""
        call = self.agent.metered(line)
        if call is None:
            return False
        self._count(call)
        return True

    def _over_budget(self) -> str:
        if self.usage and self.budget and (self.usage.usd or 0.0) >= self.budget:
            self.exceeded = f"its budget of ${self.budget:.2f} is used up"
        return self.exceeded

    def _count(self, call: ModelCall) -> None:
        self._calls[call.id] = without_negatives(priced(call.usage, prices_of(self.settings)))
        self.usage = sum(self._calls.values(), start=Usage())
        self.publish(self.usage)


def metered_usage(agent: Agent, settings: AgentSettings, lines: Iterable[bytes]) -> Usage | None:
    """Return what a whole stream reports call by call; None if it reports nothing."""
    meter = Meter(agent, settings, publish=lambda _: None)
    for line in lines:
        meter.add(line)
    return meter.usage


def logged_usage(
    agent: Agent, settings: AgentSettings, log: CallLogReader | None, lines: Iterable[bytes]
) -> Usage | None:
    """Return what the log of an execution says call by call; None if there is no such log, or nothing in it.

    `log` has not been read yet; `lines` is the stream, which names the session.
    """
    if log is None:
        return None
    meter = Meter(agent, settings, publish=lambda _: None, log=log)
    for line in lines:
        log.see(line)
    meter.add_logged()
    return meter.usage


def priced(usage: Usage, prices: PriceSettings | None) -> Usage:
    """Return a usage at these prices, if there are any: they replace what the agent says about its cost."""
    if prices is None:
        return usage
    cached = prices.input if prices.cached is None else prices.cached
    uncached = usage.input_tokens - usage.cached_tokens
    usd = uncached * prices.input + usage.cached_tokens * cached + usage.output_tokens * prices.output
    return msgspec.structs.replace(usage, usd=usd / _MILLION)
