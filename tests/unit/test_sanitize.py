"""What hostile text may do to a terminal: nothing."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gitorch.cli.schema.answer import dumps
from gitorch.cli.terminal.sanitize import MAX_LINE_WIDTH, MAX_MARKS, safe, safe_block

ATTACKS = {
    "window title": ("a\x1b]0;pwned\x07b", r"a\x1b]0;pwned\x07b"),
    "hyperlink": ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", None),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
    "clear screen": ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    "overwrite the line above": ("\x1b[1A\x1b[2Kall checks passed", r"\x1b[1A\x1b[2Kall checks passed"),
    "colour": ("\x1b[32mpassed\x1b[0m", r"\x1b[32mpassed\x1b[0m"),
    "concealed text": ("\x1b[8mhidden", r"\x1b[8mhidden"),
    "device control string": ("\x1bP$q\x1b\\", r"\x1bP$q\x1b" + "\\"),
    "C1 control sequence": ("\x9b2J", r"\x9b2J"),
    "C1 system command": ("\x9d0;pwned\x9c", r"\x9d0;pwned\x9c"),
    "carriage return": ("failed\rpassed", r"failed\rpassed"),
    "backspace": ("failed\b\b\b\b\b\bpassed", r"failed\x08\x08\x08\x08\x08\x08passed"),
    "fake line": ("ok\n22:04:11  finished  x", r"ok\n22:04:11  finished  x"),
    "line separator": ("ok\u2028more\u0085more", r"ok\u2028more\x85more"),
    "bell, nul, delete, enquiry": ("\x07\x00\x7f\x05", r"\x07\x00\x7f\x05"),
    "bidirectional override": ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
    "bidirectional isolate": ("a\u2066b\u2069\u200fc", r"a\u2066b\u2069\u200fc"),
    "zero width": ("pass\u200bword\u2060\ufeff", r"pass\u200bword\u2060\ufeff"),
    "tag characters": ("x\U000e0041\U000e007f", r"x\U000e0041\U000e007f"),
    "variation selectors that smuggle": ("a\ufe01\U000e0105", r"a\ufe01\U000e0105"),
    "blank letters": ("a\u3164b\u115f\u2800", r"a\u3164b\u115f\u2800"),
    "soft hyphen": ("ad\u00admin", r"ad\xadmin"),
    "private glyphs": ("\ue0b0", r"\ue0b0"),
    "bytes that are not UTF-8": (b"caf\xe9.txt".decode("utf-8", "surrogateescape"), r"caf\xe9.txt"),
    "a lone surrogate": ("a\ud800", r"a\ud800"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_shown_and_not_obeyed(name: str) -> None:
    """Whatever a terminal would obey or hide comes out as visible escapes, on one line."""
    text, expected = ATTACKS[name]
    shown = safe(text)
    assert expected is None or shown == expected
    assert shown.isprintable()
    assert "\n" not in shown


@pytest.mark.parametrize(
    "text", ["[/nope]", "[link=https://evil.example]x[/link]", "[bold red]passed[/]", "\\[x]", ":boom:"]
)
def test_markup_stays_text(text: str) -> None:
    """What looks like rich's markup is printed as it was written, and breaks nothing."""
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard").print(Text(safe(text)))
    assert out.getvalue() == text + "\n"


def test_stacked_marks_are_capped() -> None:
    """A character keeps the marks that a script needs, and a tower of them is cut."""
    assert safe("Z" + "\u0301" * 50 + "b") == "Z" + "\u0301" * MAX_MARKS + "b"
    assert safe("e\u0301\u0323") == "e\u0301\u0323"


def test_a_mark_does_not_sit_on_what_stands_before_the_text() -> None:
    """A text that begins with a combining mark brings its own base."""
    assert safe("\u0301x") == "\u25cc\u0301x"
    assert safe_block("a\n\u0301x") == "a\n\u25cc\u0301x"


@pytest.mark.parametrize(
    "text",
    [
        "grüße",
        "日本語",
        "한국어",
        "हिन्दी",
        "עברית",
        "العربية",
        "Việt",
        "e\u0301",
        "👍🏽 ✓ → “x” — …",
        "naïve `x`; $(y) 'z' \"w\"",
        "\U0001fae8",
    ],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    """Every language, emoji, quotes and shell characters pass unchanged."""
    assert safe(text) == text
    assert safe_block(text) == text


def test_emoji_sequences_come_apart() -> None:
    """Joiners and presentation selectors between emoji are left out: terminals disagree about their width."""
    assert safe("👨\u200d👩\u200d👧 ⚠\ufe0f ❤\ufe0f\u200d🔥") == "👨👩👧 ⚠ ❤🔥"
    assert safe("a\u200db⚠\ufe0f\ufe0f") == r"a\u200db⚠\ufe0f"


def test_a_block_keeps_its_lines() -> None:
    """Several lines keep newlines and tabs, and lose everything else that steers."""
    assert safe_block("a\tb\r\nc\x1b[2J\rd\n") == "a\tb\nc\\x1b[2J\\rd\n"


def test_long_text_is_cut_by_cell_len() -> None:
    """The limit counts columns of the terminal, not characters, and the cut is shown."""
    assert safe("abcdef", width=4) == "abc…"
    assert safe("日本語テキスト", width=6) == "日本…"
    assert safe("abc", width=3) == "abc"
    assert [safe("abc", width=width) for width in (1, 2)] == ["…", "a…"]
    assert cell_len(safe("x" * 10_000_000)) == MAX_LINE_WIDTH
    assert safe("a" + "\u0301" * 1_000_000, width=5).endswith("…")


@given(st.text(st.characters(), max_size=80), st.integers(1, 40))
def test_no_text_gets_out_of_its_line_or_its_width(text: str, width: int) -> None:
    """For any text at all: one line, printable, and within its cells."""
    shown = safe(text, width=width)
    assert cell_len(shown) <= width
    assert all(one.isprintable() or unicodedata.category(one) in ("Zs", "Cn") for one in shown)
    assert safe(shown) == shown


@given(st.dictionaries(st.text(max_size=5), st.text(st.characters(), max_size=40), max_size=3))
def test_json_says_the_same_and_steers_nothing(value: dict[str, str]) -> None:
    """JSON reads back as exactly what was written, is one line, and holds no character that a terminal obeys."""
    text = dumps(value)
    assert json.loads(text) == value
    assert all(one.isprintable() or unicodedata.category(one) in ("Zs", "Cn") for one in text)


def test_json_keeps_what_people_read() -> None:
    """Letters and emoji are written as they are; overrides, tags and stray bytes as escapes."""
    assert dumps({"x": "grüße 日本 🎉"}) == '{"x":"grüße 日本 🎉"}'
    assert dumps({"x": "\u202e\x9b\U000e0041\udcff\n"}) == r'{"x":"\u202e\u009b\udb40\udc41\udcff\n"}'
