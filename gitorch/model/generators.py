"""Generators that yield their progress and return a result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

_Step = TypeVar("_Step")
_Result = TypeVar("_Result")


def drain(steps: Generator[_Step, None, _Result], on_step: Callable[[_Step], object]) -> _Result:
    """Run a generator to its end, pass each value to `on_step`, and return its result."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: _Result = stop.value
            return result
        on_step(step)
