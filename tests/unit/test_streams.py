"""What a stream can show, and what is printed on it."""

from __future__ import annotations

import contextlib
import io
import os

import pytest

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.streams import Screen
from gitorch.cli.terminal.style import TerminalStyle, style_of
from gitorch.cli.views import help as help_view
from tests.support.pages import Terminal, a_stream, written


@pytest.mark.parametrize(
    ("kind", "environment", "coloured"),
    [
        (Terminal, {"TERM": "xterm"}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.TextIOWrapper, {"TERM": "xterm"}, False),
        (io.TextIOWrapper, {"FORCE_COLOR": "1"}, True),
        (io.TextIOWrapper, {"FORCE_COLOR": "0"}, False),
    ],
)
def test_who_decides_on_colour(kind: type[io.TextIOWrapper], environment: dict[str, str], coloured: bool) -> None:
    """NO_COLOR wins over FORCE_COLOR, which wins over what the stream is."""
    assert style_of(a_stream(kind), environment).colour is coloured


def test_width_is_that_of_the_terminal_and_without_one_there_is_none() -> None:
    """COLUMNS wins, 80 where nothing is known; what is not a terminal is never cut."""
    assert style_of(a_stream(Terminal), {"COLUMNS": "123"}).width == 123
    assert style_of(a_stream(Terminal), {"COLUMNS": "²"}).width == 80
    assert style_of(a_stream(Terminal), {}).width == 80
    assert style_of(a_stream(), {"COLUMNS": "123"}).width is None


def test_symbols_need_a_stream_and_a_terminal_that_can() -> None:
    """An encoding without the symbols, a dumb terminal and the console of Linux get ASCII."""
    assert style_of(a_stream(), {}).symbols
    assert not style_of(a_stream(encoding="latin-1"), {}).symbols
    assert not style_of(a_stream(Terminal), {"TERM": "linux"}).symbols
    assert TerminalStyle(charset="ascii", symbols=False).clean("grün\x1b") == r"gr\xfcn\x1b"


def test_narration_whose_reader_is_gone_is_dropped_and_answers_are_not() -> None:
    """What cannot be narrated ends nothing; an answer that cannot be printed is an error."""
    reader, writer = os.pipe()
    os.close(reader)
    broken = io.TextIOWrapper(io.FileIO(writer, "w"), encoding="utf-8")
    screen = Screen(a_stream(), broken, broken, {})
    screen.say("told")
    screen.warn("beware")
    with pytest.raises(BrokenPipeError):
        screen.answer("green")
    with contextlib.suppress(BrokenPipeError):
        broken.close()


def test_narration_keeps_quiet_and_answers_do_not() -> None:
    """`quiet` silences the narration alone; what a stream cannot take is escaped and not an error."""
    out, err = a_stream(encoding="ascii"), a_stream()
    screen = Screen(a_stream(), out, err, {}, quiet=True)
    screen.answer("grün")
    screen.say("told")
    screen.detail("told in detail")
    screen.warn("beware")
    assert written(out) == "gr\\xfcn\n"
    assert written(err) == "warning: beware\n"


def test_long_narration_is_broken_between_words() -> None:
    """On a terminal; a command stays whole, so that it can be copied, and so does what goes into a file."""
    text = "2 rivals were queued, and one is picked"
    screen = Screen(a_stream(), a_stream(), a_stream(Terminal), {"COLUMNS": "20"})
    for line in (text, f"{'x' * 30} y", "next: orchestrate run --until 07:00", "  git log --oneline --graph"):
        screen.say(line)
    assert written(screen.stderr).splitlines() == [
        "2 rivals were",
        "queued, and one is",
        "picked",
        f"{'x' * 30} y",
        "next: orchestrate run --until 07:00",
        "  git log --oneline --graph",
    ]
    screen = Screen(a_stream(), a_stream(), a_stream(), {"COLUMNS": "20"})
    screen.say(text)
    assert written(screen.stderr) == f"{text}\n"


def test_code_in_a_topic_has_no_background() -> None:
    """A black box would stand out on a light terminal."""
    terminal = TerminalStyle(width=80, colour=True)
    text = render(help_view.page("run `orchestrate`", terminal=terminal), terminal)
    assert "\x1b[36morchestrate" in text
