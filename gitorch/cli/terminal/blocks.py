"""Building blocks of pages, as rich renderables: lines, paragraphs, labelled fields, lists, commands to copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.style import Span, TerminalStyle

LABEL_WIDTH = 12
_MAX_TEXT_WIDTH = 96


def line(*spans: Span | Text | str) -> Text:
    """Return one line that is neither broken nor cut: a terminal wraps it where it is too long."""
    return Text.assemble(*spans, no_wrap=True, overflow="ignore")


def fitted(*spans: Span | Text | str) -> Text:
    """Return one line that is cut at the width of the terminal."""
    return Text.assemble(*spans, no_wrap=True, overflow="ellipsis")


def prose(*spans: Span | Text | str) -> Text:
    """Return text that wraps between words."""
    return Text.assemble(*spans, overflow="fold")


def joined(parts: Iterable[Span], terminal: TerminalStyle) -> Text:
    """Return the facts that are not empty separated by dots, wrapped between words."""
    # a span: the style of a Text is also that of all that it joins
    separator = Text.assemble((terminal.dot, "dim"))
    return prose(separator.join(Text(*part) for part in parts if part[0]))


def block(text: str, terminal: TerminalStyle, style: str = "") -> RenderableType | None:
    """Return untrusted text of several lines, wrapped between words; None if it is blank."""
    if not text.strip():
        return None
    paragraphs = Text(terminal.clean_block(text.strip("\n")), style, overflow="fold", tab_size=4)
    return paragraphs if terminal.width is None else Constrain(paragraphs, _MAX_TEXT_WIDTH)


def stack(parts: Iterable[RenderableType | None]) -> Group:
    """Return parts below each other; None is left out."""
    return Group(*(part for part in parts if part is not None))


def section(terminal: TerminalStyle, *parts: RenderableType | None) -> list[RenderableType]:
    """Return parts after an empty line, which only people need; nothing where all parts are None."""
    content = [part for part in parts if part is not None]
    return [Text(""), *content] if content and terminal.width is not None else content


def warning(text: str, terminal: TerminalStyle) -> Table:
    """Return a warning, broken below itself."""
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_row(Text("warning:", "bold yellow"), block(text, terminal) or Text())
    return grid


def fields(pairs: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Return labelled values; a label whose value is None is left out."""
    grid = Table.grid()
    grid.add_column(width=LABEL_WIDTH, no_wrap=True)
    grid.add_column()
    for label, value in pairs:
        if value is not None:
            grid.add_row(Text(f"  {label}", "dim"), value)
    return grid


def bullets(items: Iterable[tuple[Span, RenderableType]], indent: int = 0) -> Table | None:
    """Return a list: each item after its mark, broken below itself; None for an empty list."""
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for (mark, style), item in items:
        grid.add_row(Text(" " * indent + mark, style), item)
    return grid if grid.row_count else None


class Hanging:
    """Text whose lines after the first are indented."""

    def __init__(self, text: Text, indent: int) -> None:
        self._text = text
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        if self._text.cell_len <= options.max_width:
            yield self._text
            return
        first, *further_lines = self._text.wrap(console, max(options.max_width - self._indent, 1), overflow="fold")
        yield first
        for text in further_lines:
            yield Text(" " * self._indent).append_text(text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the widths of the text itself: where nothing limits it, a cell would be filled up with blanks."""
        return Measurement.get(console, options, self._text)


def commands(hints: Sequence[tuple[str, str]], terminal: TerminalStyle) -> RenderableType | None:
    """Return commands to copy, which are never cut, each with its purpose where that has room."""
    if not hints:
        return None
    cleaned = [(terminal.clean(command), purpose) for command, purpose in hints]
    width = max(cell_len(command) for command, _ in cleaned)
    arrow = terminal.pick("↳", "->")
    grid = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True, min_width=len(arrow) + 1 + width)
    grid.add_column(no_wrap=True)
    for command, purpose in cleaned:
        room = terminal.width is None or len(arrow) + width + len(purpose) + 4 <= terminal.width
        grid.add_row(line((f"{arrow} ", "dim"), (command, "bold")), line((purpose if room else "", "dim")))
    return grid
