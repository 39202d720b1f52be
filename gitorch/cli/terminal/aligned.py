"""Rows of two columns. Most fit their lines, so that the layout of a table, which takes long, is rarely needed."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.style import Span

_GAP = "  "


class AlignedRows:
    """Rows of a name, which is cut where there is no room, and of what is said of it, which wraps."""

    def __init__(self) -> None:
        self._rows: list[tuple[tuple[Span, ...], RenderableType]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, name: tuple[Span, ...], details: RenderableType) -> None:
        """Add a row."""
        self._rows.append((name, details))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, or a table where one of them does not fit."""
        widths = [sum(cell_len(text) for text, _ in name) for name, _ in self._rows]
        names = max(widths, default=0)
        room = options.max_width - names - len(_GAP)
        if not all(_fits(details, room) for _, details in self._rows):
            yield self._table()
            return
        for (name, details), width in zip(self._rows, widths, strict=True):
            yield from (Segment(text, console.get_style(style)) for text, style in name)
            yield Segment(" " * (names - width) + _GAP)
            # the style of a whole text becomes that of a part
            yield from Text.assemble(details).render(console)  # type: ignore[arg-type]
            yield Segment.line()

    def _table(self) -> Table:
        grid = Table.grid(padding=(0, len(_GAP), 0, 0), pad_edge=False)
        grid.add_column(no_wrap=True)
        for name, details in self._rows:
            grid.add_row(Text.assemble(*name, no_wrap=True, overflow="ellipsis"), details)
        return grid


def _fits(details: RenderableType, room: int) -> bool:
    text = details.plain if isinstance(details, Text) else details
    return isinstance(text, str) and "\n" not in text and "\t" not in text and cell_len(text) <= room
