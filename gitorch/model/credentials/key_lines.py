"""The lines of a private key: text that comes in parts may hold only some of them."""

from __future__ import annotations

import re

from gitorch.model.credentials.scan import KEY_END

_LONGEST_KEY = 500
"""Lines. A key of 16,384 bits has 200."""

_END = re.compile(KEY_END)
_BODY_LINE = re.compile(r"[\s+>|:\d-]{0,12}(?:[A-Za-z0-9+/]+={0,2}|[A-Z][A-Za-z-]*: .*)?\s*\Z")
_LONG_LINE = re.compile(r"[A-Za-z0-9+/]{60,76}\s*\Z")


class KeyLines:
    """Drops the lines of a private key whose beginning was in an earlier part."""

    def __init__(self) -> None:
        self.is_open = False
        self._lines = 0
        self._line = _BODY_LINE

    def open(self, *, is_certain: bool = True) -> None:
        """Expect lines of a key; unless it is certain that they follow, only those with the length of such lines."""
        self.is_open = True
        self._line = _BODY_LINE if is_certain else _LONG_LINE
        self._lines = 0

    def feed(self, text: str) -> str:
        """Return text without the lines of the key at its beginning; their line ends stay."""
        position = 0
        while self.is_open and position < len(text):
            end = text.find("\n", position) + 1 or len(text)
            line = text[position:end]
            last = _END.search(line)
            self._lines += 1
            if last is not None:
                self.is_open = False
                return "\n" * text.count("\n", 0, position) + line[last.end() :] + text[end:]
            if not self._line.match(line) or self._lines > _LONGEST_KEY:
                self.is_open = False
                break
            position = end
        return "\n" * text.count("\n", 0, position) + text[position:]
