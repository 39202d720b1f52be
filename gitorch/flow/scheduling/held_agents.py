"""Which agents start nothing for now: those with a fault of their setup, a limit, or a service that is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from gitorch.model.outcome import ExitReason
from gitorch.model.task import State, Task

PROBE_SECONDS = 30.0
"""How often a held agent is probed."""


class HeldAgents:
    """The agents of a run that are not set up: what the first attempt learned holds for all tasks of its agent.

    A held agent is released when a probe succeeds that has failed since: the user has logged in, or the program is
    back. A probe that succeeds from the start does not see the fault, and means nothing.
    """

    def __init__(
        self,
        is_ready: Callable[[str], bool],
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.agents: dict[str, str] = {}
        self._is_ready = is_ready
        self._now = now
        self._clock = clock
        self._failed_probes: set[str] = set()
        self._next_probe = 0.0
        self._limits: dict[str, datetime] = {}

    def hold(self, agent: str, reason: str, *, by_probe: bool = False) -> None:
        """Start nothing more with an agent; `by_probe` if a probe has failed now."""
        self.agents.setdefault(agent, reason)
        self._next_probe = self._clock() + (PROBE_SECONDS if by_probe else 0)
        if by_probe:
            self._failed_probes.add(agent)

    def probe(self) -> None:
        """Release the agents that are ready again; ask at most every `PROBE_SECONDS`."""
        if not self.agents or self._clock() < self._next_probe:
            return
        self._next_probe = self._clock() + PROBE_SECONDS
        for agent in [*self.agents]:
            if not self._is_ready(agent):
                self._failed_probes.add(agent)
            elif agent in self._failed_probes:
                self._failed_probes.remove(agent)
                del self.agents[agent]

    def may_come_back(self) -> bool:
        """Return whether a probe could release an agent."""
        return bool(self._failed_probes)

    def limit(self, agent: str, until: datetime) -> None:
        """Start nothing more with an agent until then: it has reached a limit, or its service does not answer."""
        self._limits[agent] = max(until, self._limits.get(agent, until))

    def limited(self, tasks: Iterable[Task], agent_of: Callable[[Task], str]) -> dict[str, datetime]:
        """Return the agents that wait for their service, and until when: what one task was told holds for all."""
        now = self._now()
        limits = {agent: until for agent, until in self._limits.items() if until > now}
        for task in tasks:
            if task.wake is not None and is_limited(task, now):
                agent = agent_of(task)
                limits[agent] = max(task.wake, limits.get(agent, task.wake))
        return limits


def is_limited(task: Task, now: datetime) -> bool:
    """Return whether a task waits for the limit of its agent to end, or for a service that does not answer."""
    ended = task.attempt.ending if task.attempt else ""
    is_waiting = task.state is State.WAITING and ended in (ExitReason.LIMITED, ExitReason.TRANSIENT)
    return is_waiting and task.wake is not None and task.wake > now
