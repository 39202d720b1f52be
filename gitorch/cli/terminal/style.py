"""What one output stream can show: its width, colour, symbols and character set."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from typing import TextIO

import msgspec

from gitorch.cli.terminal.sanitize import safe, safe_block

Span = tuple[str, str]
"""Text, which must be harmless already, and a rich style."""

_DEFAULT_WIDTH = 80
_DEFAULT_HEIGHT = 24
_SYMBOLS = "❯✗✓▶◔≠↺●–↳…▲├└│━→"  # noqa: RUF001
# a dumb terminal may show anything; the Linux console has no glyphs for the symbols
_ASCII_TERMINALS = ("dumb", "linux")


class TerminalStyle(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream can show.

    `width` is in cells; None means that a program reads the stream: nothing is cut, and tables keep all columns.
    """

    width: int | None = None
    height: int = _DEFAULT_HEIGHT
    colour: bool = False
    symbols: bool = True
    charset: str = "utf-8"

    @property
    def dot(self) -> str:
        """The separator between facts on one line."""
        return " · " if self.symbols else " - "

    @property
    def ellipsis(self) -> str:
        """The mark of a list that is cut off."""
        return "…" if self.symbols else "..."

    def pick(self, symbol: str, ascii_symbol: str) -> str:
        """Return the symbol, or its ASCII replacement."""
        return symbol if self.symbols else ascii_symbol

    def clean(self, text: str) -> str:
        """Return untrusted text as one harmless line in characters that the stream can encode."""
        return self.encodable(safe(text))

    def clean_block(self, text: str) -> str:
        """Return untrusted text of several lines, harmless and in characters that the stream can encode."""
        return self.encodable(safe_block(text))

    def encodable(self, text: str) -> str:
        """Return text with each character that the stream cannot encode as an escape."""
        if text.isascii() or self.charset == "utf-8":
            return text
        return text.encode(self.charset, "backslashreplace").decode(self.charset)


def stdout_style() -> TerminalStyle:
    """Return what the answer of this process may look like."""
    return style_of(sys.stdout, os.environ)


def stderr_style() -> TerminalStyle:
    """Return what the narration of this process may look like."""
    return style_of(sys.stderr, os.environ)


def style_of(stream: TextIO, environment: Mapping[str, str]) -> TerminalStyle:
    """Return what a stream can show."""
    is_tty = stream.isatty()
    charset = _charset(stream)
    width, height = _size(stream, environment) if is_tty else (None, _DEFAULT_HEIGHT)
    return TerminalStyle(
        width=width,
        height=height,
        colour=_wants_colour(is_tty, environment),
        symbols=_can_encode(charset, _SYMBOLS) and not (is_tty and environment.get("TERM") in _ASCII_TERMINALS),
        charset=charset,
    )


def can_animate(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal that can redraw what it shows."""
    return stream.isatty() and environment.get("TERM", "dumb") != "dumb"


def _wants_colour(is_tty: bool, environment: Mapping[str, str]) -> bool:
    """Follow no-color.org and force-color.org; NO_COLOR wins over FORCE_COLOR."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_tty and environment.get("TERM", "dumb") != "dumb"


def _size(stream: TextIO, environment: Mapping[str, str]) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return (
        _number(environment.get("COLUMNS")) or columns or _DEFAULT_WIDTH,
        _number(environment.get("LINES")) or rows or _DEFAULT_HEIGHT,
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and text.isascii() else 0


def _charset(stream: TextIO) -> str:
    return codecs.lookup(stream.encoding or "ascii").name


def _can_encode(charset: str, text: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
