"""Untrusted text made harmless: what agents, repositories and users wrote, before it reaches a terminal.

A terminal obeys control characters: it changes its title, fills the clipboard, moves the cursor over earlier lines, or
shows text in another order than it is stored in. Such characters are shown as escapes (`\\x1b`, `\\u202e`), never sent.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

MAX_LINE_WIDTH = 2_000
"""Cells of one line where the caller sets no limit."""

MAX_MARKS = 4
"""Combining marks of one character: the most that a living script stacks."""

_NOT_PLAIN = re.compile(r"[^ -~]+")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Printable for Python and blank on a screen: fillers, joiners and selectors that only hide something.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINER = "\u200d"
_PRESENTATION = "\ufe0e\ufe0f"
_DOTTED_CIRCLE = "\u25cc"

# Newer emoji than the tables of this Python have.
_FIRST_EMOJI, _LAST_EMOJI = "\U0001f000", "\U0001faff"


def safe(text: str, *, width: int = MAX_LINE_WIDTH) -> str:
    """Return text as one harmless line, cut to `width` (at least 1) display cells.

    Controls (C0, C1, ESC), line breaks, bidirectional overrides, zero-width, tag and private characters and bytes
    that are not UTF-8 (decoded with `surrogateescape`) are shown as escapes; stacks of combining marks are capped.
    """
    readable = 8 * width + 8  # characters far behind the cut are not worth reading
    shown = _visible(text[:readable], "")
    if len(text) <= readable and cell_len(shown) <= width:
        return shown
    return set_cell_size(shown, width - 1).rstrip(" ") + "…"


def safe_block(text: str) -> str:
    """Return text of several lines made harmless: as `safe`, but newlines and tabs stay, and nothing is cut."""
    return _visible(text.replace("\r\n", "\n"), "\n\t")


def _visible(text: str, allowed: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return _NOT_PLAIN.sub(lambda match: _visible_part(text, match.start(), match.end(), allowed), text)


def _visible_part(text: str, start: int, end: int, allowed: str) -> str:
    """Return a part of a text without plain ASCII as it may be shown; the character before it may carry marks."""
    output: list[str] = []
    marks = 0
    base = text[start - 1] if start else ""
    for index in range(start, end):
        character = text[index]
        if character in allowed:
            output.append(character)
            base, marks = "", 0
        elif _is_mark(character):
            marks += 1
            if marks <= MAX_MARKS:
                output.append(character if base else _DOTTED_CIRCLE + character)
                base = base or _DOTTED_CIRCLE
        elif not _is_silent(text, index, base):
            output.append(character if _is_harmless(character) else _escaped(character))
            base, marks = character, 0
    return "".join(output)


@lru_cache(4096)
def _is_mark(character: str) -> bool:
    if character in _BLANK or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000":
        return False
    return unicodedata.category(character) in ("Mn", "Me")


def _is_silent(text: str, index: int, base: str) -> bool:
    """Return whether a character only styles an emoji and can be left out: a presentation selector, or a joiner.

    Terminals disagree about the width of such sequences; their parts are shown side by side.
    """
    character, before, after = text[index], text[index - 1 : index], text[index + 1 : index + 2]
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
    """Return JSON text with every harmful character written as JSON's own escape, `\\u....`.

    JSON has such characters only inside its strings, so the value stays the same.
    """
    return _NOT_PLAIN.sub(lambda match: "".join(map(_json_escaped, match[0])), text)


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
    """Return a TOML document with every harmful character written as TOML's own escape, `\\u....`.

    TOML as tomli-w writes it has such characters only inside its strings, except for line ends.
    """
    return _NOT_PLAIN.sub(lambda match: "".join(map(_toml_escaped, match[0])), text)


@lru_cache(4096)
def _toml_escaped(character: str) -> str:
    if character in "\n\t" or _is_harmless(character):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
