"""Hostile text made harmless: what agents, repositories and users wrote, before it reaches a terminal.

A terminal obeys what it is sent: it changes its title, fills the clipboard, moves the cursor over earlier lines, or
shows text in another order than it is stored in. Such characters are shown as escapes (`\\x1b`, `\\u202e`), never sent.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 2_000
"""Cells that one line takes at most, where the caller sets no limit."""

MOST_MARKS = 4
"""Combining marks that one character may carry: the most that a living script stacks."""

_NOT_PLAIN = re.compile(r"[^ -~]+")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Printable to Python and blank on a screen: fillers, joiners and selectors that only hide something.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINER = "\u200d"
_PRESENTATION = "\ufe0e\ufe0f"
_DOTTED_CIRCLE = "\u25cc"

# Newer emoji than this Python's tables know.
_FIRST_EMOJI, _LAST_EMOJI = "\U0001f000", "\U0001faff"


def safe(text: str, *, width: int | None = None, ellipsis: str = "…") -> str:
    """Return text as one harmless line, cut to `width` display cells.

    Controls (C0, C1, ESC), line breaks, bidirectional overrides, zero-width, tag and private characters and bytes
    that are not UTF-8 (decoded with `surrogateescape`) are shown as escapes; stacks of combining marks are capped.
    """
    limit = LONGEST if width is None else width
    enough = 8 * limit + 8
    if len(text) > enough:
        # what is far behind the cut is not worth reading
        return clip(_visible(text[:enough], "") + ellipsis, limit, ellipsis)
    return clip(_visible(text, ""), limit, ellipsis)


def safe_block(text: str) -> str:
    """Return text of several lines made harmless: as `safe`, with its newlines and tabs kept and no limit."""
    return _visible(text.replace("\r\n", "\n"), "\n\t")


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text cut to `width` display cells, with an ellipsis where something was cut."""
    if len(text) <= width and text.isascii():
        return text
    if cells(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return ellipsis[: max(width, 0)]
    taken = 0
    for at, character in enumerate(text):
        taken += 1 if character < "\x7f" else _cells(character)
        if taken > room:
            return text[:at] + ellipsis
    return text + ellipsis


def cells(text: str) -> int:
    """Return how many columns of a terminal text takes, once it is harmless."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(4096)
def _cells(character: str) -> int:
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    wide = unicodedata.east_asian_width(character) in ("W", "F") or _is_new_emoji(character)
    # trigrams and monograms: wide since Unicode 16, which older Pythons do not know
    wide = wide or "\u2630" <= character <= "\u2637" or "\u268a" <= character <= "\u268f"
    return 2 if wide else 1


def _visible(text: str, kept: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return _NOT_PLAIN.sub(lambda found: _shown(text, found.start(), found.end(), kept), text)


def _shown(text: str, start: int, end: int, kept: str) -> str:
    """Return a stretch of text without plain ASCII as it may be shown; its surroundings tell what marks belong to."""
    shown: list[str] = []
    marks = 0
    base = text[start - 1] if start else ""
    for at in range(start, end):
        character = text[at]
        if character in kept:
            shown.append(character)
            base, marks = "", 0
        elif _is_mark(character):
            marks += 1
            if marks <= MOST_MARKS:
                shown.append(character if base else _DOTTED_CIRCLE + character)
                base = base or _DOTTED_CIRCLE
        elif not _is_silent(text, at, base):
            shown.append(character if _is_harmless(character) else _escaped(character))
            base, marks = character, 0
    return "".join(shown)


@lru_cache(4096)
def _is_mark(character: str) -> bool:
    if character in _BLANK or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000":
        return False
    return unicodedata.category(character) in ("Mn", "Me")


def _is_silent(text: str, at: int, base: str) -> bool:
    """Tell whether a character only styles an emoji and can be left out: a presentation selector, or a joiner.

    Terminals disagree about how wide such sequences are; their parts are shown side by side.
    """
    character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if character in _PRESENTATION:
        return before == base and (_is_symbol(base) or after == "\u20e3")
    return character == _JOINER and _is_symbol(base) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    if character <= "\x7f":
        return False
    return character == "\u2139" or unicodedata.category(character) in ("So", "Sk", "Sm", "Po")


@lru_cache(4096)
def _is_harmless(character: str) -> bool:
    if character in _BLANK or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return False
    return character.isprintable() or unicodedata.category(character) == "Zs" or _is_new_emoji(character)


def _is_new_emoji(character: str) -> bool:
    return _FIRST_EMOJI <= character <= _LAST_EMOJI and unicodedata.category(character) == "Cn"


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that was not UTF-8
    if code <= 0xFF:
        return _NAMED.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def json_escaped(text: str) -> str:
    """Return JSON text with every character that would be shown as an escape written as JSON's own `\\u....`.

    JSON holds such characters only inside its strings, so the value stays the same.
    """
    return _NOT_PLAIN.sub(lambda found: "".join(map(_json_escaped, found[0])), text)


@lru_cache(4096)
def _json_escaped(character: str) -> str:
    if _is_harmless(character):
        return character
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def toml_escaped(text: str) -> str:
    """Return a TOML document with every character that a terminal would obey as TOML's own `\\u....`.

    TOML as tomli-w writes it holds such characters only inside its strings, beside line ends.
    """
    return _NOT_PLAIN.sub(lambda found: "".join(map(_toml_escaped, found[0])), text)


@lru_cache(4096)
def _toml_escaped(character: str) -> str:
    if character in "\n\t" or _is_harmless(character):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
