"""What an agent does again and again is told."""

from __future__ import annotations

from gitorch.model.outcome import Event
from gitorch.model.risky_commands import RepeatWatch


def test_the_same_command_ten_times_in_a_row_is_told() -> None:
    """Results in between do not count, another command does."""
    events = [event for _ in range(12) for event in (_tool("npm  test"), Event(kind="result", text="1 failing"))]
    events += [_tool(text) for _ in range(30) for text in ("a", "b")]
    watch = RepeatWatch()
    assert [*watch.through(events)] == events
    assert watch.repeated == ["npm test (12 times in a row)"]


def _tool(text: str) -> Event:
    return Event(kind="tool", tool="Bash", text=text)
