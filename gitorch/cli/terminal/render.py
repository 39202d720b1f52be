"""Rich renderables as text for one stream: styled or plain, never padded at the end of a line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TextIO

from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.theme import Theme

from gitorch.cli.terminal.style import TerminalStyle

_THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})
"""Of rich, these have a black background, which is a box on a light terminal."""

UNLIMITED = 1 << 30
"""The width in cells of a stream that a program reads."""


def render(renderable: RenderableType, terminal: TerminalStyle) -> str:
    """Return a renderable as text, without a line end after its last line."""
    console = _console(terminal)
    segments = console.render(renderable, _options(console, terminal))
    lines = ["".join(_encoded(_trimmed(line), terminal)) for line in Segment.split_lines(segments)]
    return "\n".join(lines)


def console_for(stream: TextIO, terminal: TerminalStyle, *, live: bool) -> Console:
    """Return a console that writes to a stream; a `live` one redraws, and measures the terminal for each frame."""
    return Console(
        file=stream,
        width=None if live else terminal.width or UNLIMITED,
        force_terminal=live,
        no_color=not terminal.colour,
        color_system="standard" if terminal.colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        theme=_THEME,
    )


@cache
def _console(terminal: TerminalStyle) -> Console:
    return console_for(io.StringIO(), terminal, live=False)


def _options(console: Console, terminal: TerminalStyle) -> ConsoleOptions:
    options = console.options.update(width=terminal.width or UNLIMITED)
    options.encoding = "utf-8" if terminal.symbols else "ascii"
    return options


def _trimmed(line: Iterable[Segment]) -> list[Segment]:
    """Drop the blanks at the end of a line: rich pads the cells of a table."""
    segments = [segment for segment in line if not segment.control]
    while segments and not segments[-1].text.strip(" "):
        segments.pop()
    if segments:
        last = segments[-1]
        segments[-1] = Segment(last.text.rstrip(" "), last.style)
    return segments


def _encoded(line: Iterable[Segment], terminal: TerminalStyle) -> Iterator[str]:
    for text, style, _ in line:
        # rich cuts with an ellipsis of one cell, whatever the stream can show
        content = text if terminal.symbols else text.replace("…", "~")
        if style and terminal.colour and content.strip(" "):
            yield style.render(content, color_system=ColorSystem.STANDARD)
        else:
            yield content
