"""Commands of an agent that a reviewer should know of, as they appear in its output."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from gitorch.model.outcome import Event

_MAX = 20
_LOOP = 10
_MAX_REPEATED = 3
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


class RepeatWatch:
    """Counts how often an agent does the same thing without another one in between: it may be caught in a loop."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0
        self._most: dict[str, int] = {}

    def through(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events of an agent unchanged."""
        for event in events:
            if event.kind == "tool":
                self._count = self._count + 1 if event.text == self._last else 1
                self._last = event.text
                if self._count >= _LOOP:
                    self._most[event.text] = max(self._count, self._most.get(event.text, 0))
            yield event

    @property
    def repeated(self) -> list[str]:
        """What it did again and again, with how often, the most often first."""
        most = sorted(self._most.items(), key=lambda entry: -entry[1])[:_MAX_REPEATED]
        return [f"{_shortened(text)} ({count} times in a row)" for text, count in most]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _risky(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if event.kind == "tool" and _RISKY.search(event.text):
            yield _shortened(event.text)
