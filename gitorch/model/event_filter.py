"""Which events of an agent's log are shown."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from gitorch.errors import InvalidInput
from gitorch.model.outcome import Event

EventFilter = Callable[[Event], Event | None]
"""Returns what is shown of an event; None for nothing."""


def event_filter(*, commands: bool = False, pattern: str | None = None) -> EventFilter:
    """Return what a reader asked for: only `commands` and other tools, only lines in which a pattern matches.

    Raises `InvalidInput` if the pattern is not a regular expression.
    """
    try:
        wanted = re.compile(pattern) if pattern else None
    except re.error as error:
        raise InvalidInput("pattern", f"{pattern!r} is not a regular expression", why=str(error)) from None

    def shown(event: Event) -> Event | None:
        if commands and event.kind != "tool":
            return None
        if wanted is None:
            return event
        lines = [line for line in event.text.split("\n") if wanted.search(line)]
        if not lines:
            return None
        # what was done is shown whole, of what was said or printed only what matches
        return event if event.kind == "tool" else msgspec.structs.replace(event, text="\n".join(lines))

    return shown
