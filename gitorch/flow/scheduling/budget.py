"""What a run has spent, and whether that is more than it may spend."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage

SpentBy = Callable[[Collection[TaskId]], Usage]
"""Returns what the running attempts of tasks have used so far."""


class RunBudget:
    """The usage of a run: of its ended attempts, and of those that are running; 0 dollars or tokens are no limit."""

    def __init__(self, dollars: float, tokens: int, in_flight: SpentBy) -> None:
        self.dollars = dollars
        self.tokens = tokens
        self.ended = Usage()
        self._in_flight = in_flight
        self._running: set[TaskId] = set()

    def start(self, task: TaskId) -> None:
        """Count what the attempt of a task uses while it runs."""
        self._running.add(task)

    def end(self, task: TaskId, usage: Usage | None) -> None:
        """Count what an ended attempt has used."""
        self._running.discard(task)
        if usage:
            self.ended += usage

    def problem(self) -> str:
        """Return which budget is used up, by ended and running attempts together; empty if none is."""
        if not (self.dollars or self.tokens):
            return ""
        spent = self.ended + self._in_flight(self._running)
        dollars, tokens = spent.usd or 0.0, spent.input_tokens + spent.output_tokens
        if self.dollars and dollars >= self.dollars:
            return f"the budget of ${self.dollars:.2f} is used up (${dollars:.2f})"
        if self.tokens and tokens >= self.tokens:
            return f"the budget of {self.tokens} tokens is used up ({tokens})"
        return ""
