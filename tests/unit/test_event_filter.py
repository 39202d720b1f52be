"""Which events of a log are shown: what an agent did, and the lines in which a pattern matches."""

from __future__ import annotations

import pytest

from gitorch.errors import InvalidInput
from gitorch.model.event_filter import event_filter
from gitorch.model.outcome import Event

SAID = Event(kind="text", text="I run the tests\nand look at errors")
DONE = Event(kind="tool", tool="Bash", text="Bash: pytest -q\n| tail")
PRINTED = Event(kind="result", tool="Bash", text="1 passed\n2 errors\n3 errors")


@pytest.mark.parametrize(
    ("commands", "pattern", "shown"),
    [
        (False, None, [SAID, DONE, PRINTED]),
        (True, None, [DONE]),
        (False, "err.rs", ["and look at errors", "2 errors\n3 errors"]),
        (False, "pytest", [DONE.text]),
        (True, "errors", []),
        (False, "", [SAID, DONE, PRINTED]),
    ],
)
def test_what_is_shown(commands: bool, pattern: str | None, shown: list[Event | str]) -> None:
    """A tool call whole, of what was said or printed only the lines that match."""
    wanted = event_filter(commands=commands, pattern=pattern)
    events = [event for event in map(wanted, (SAID, DONE, PRINTED)) if event]
    assert [event.text if isinstance(one, str) else event for event, one in zip(events, shown, strict=True)] == shown


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(InvalidInput, match="is not a regular expression"):
        event_filter(pattern="(")
