"""Commands of an agent that a reviewer should know of, as they appear in its output."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from gitorch.model.outcome import Event

_MAX = 20
_LONGEST = 120
_WORDS = re.compile(rb"\b(?:push|curl|wget|sudo|no-verify|rm|chmod|hooksPath|config|LEFTHOOK|HUSKY|SKIP)\b")
"""A line without any of these holds no such command; most lines of a transcript are not parsed again."""

_RISKY = re.compile(
    r"\bgit\b[^|;&]*\bpush\b|\b(?:curl|wget)\b[^|\n]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"
    r"|(?:ba)?sh\s+<\(\s*(?:curl|wget)\b|(?:^|[;&|]\s*)sudo\b|--no-verify\b|core\.hooksPath|\bgit config --global"
    r"|\bgit\b[^|;&]*\bcommit\b[^|;&]*\s-[a-zA-Z]*n\b|\bchmod\s+(?:-R\s+)?777\b"
    r"|\brm\s+-[a-zA-Z]*[rf][a-zA-Z]*\s+(?:/|~|\$HOME|\.\./|\.git\b)|\b(?:HUSKY|LEFTHOOK)=0\b|\bSKIP=\S+ git"
)


class CommandWatch:
    """Collects the risky commands of an agent while its output is read for other purposes."""

    def __init__(self, events: Callable[[bytes], Iterable[Event]]) -> None:
        self._events = events
        self.commands: list[str] = []

    def through(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines of an agent's output unchanged."""
        for line in lines:
            if len(self.commands) < _MAX and _WORDS.search(line):
                self.commands += [text for text in _risky(self._events(line)) if text not in self.commands]
            yield line


def _risky(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if event.kind == "tool" and _RISKY.search(event.text):
            text = " ".join(event.text.split())
            yield text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
