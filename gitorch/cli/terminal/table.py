"""Rich tables that drop their least important columns where the terminal is narrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.style import Span, TerminalStyle

Row = Sequence[Span]

_GAP = 2
_MIN_LAST_COLUMN = 30
_CUT = ("…", "~")
"""The mark of a cell that is cut off, which is one cell wide in every encoding."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its title, its side, and its place in the order in which columns are dropped.

    The column with the highest `drop` goes first; 0 is never dropped. Before one is dropped, the column with a `shrink`
    gets as narrow as that. The last column takes what is left.
    """

    title: str
    right: bool = False
    drop: int = 0
    shrink: int = 0


def table(
    columns: Sequence[Column], rows: Sequence[Row], terminal: TerminalStyle, *, note: bool = True
) -> RenderableType:
    """Return a table without lines, and a `note` that names the columns without room.

    On a terminal, empty columns are left out and long cells are cut. For a program all columns stay, and an empty cell
    shows a dash, so that columns can be counted.
    """
    visible, hidden = visible_columns(columns, rows, terminal)
    rows = _with_distinct_names(columns, rows, visible, terminal)
    titles = [title.lower() for title in hidden if title]
    grid = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=any(column.title for column in columns))
    dash = "" if terminal.width is not None else "-"
    cells: list[Text] = []
    for position in visible:
        column = columns[position]
        is_rigid = bool(column.drop) or column.right or terminal.width is None
        side: Literal["left", "right"] = "right" if column.right else "left"
        width = _shrunk_width(columns, rows, visible, terminal) if column.shrink else None
        grid.add_column(Text(column.title, "dim"), justify=side, no_wrap=is_rigid, width=width)
        lines = (Text(text or dash, style) for text, style in (row[position] for row in rows))
        cells.append(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))
    # one row of cells with a line for each task: rich takes three times as long for a row for each task
    grid.add_row(*cells)
    if not (titles and note):
        return grid
    return Group(grid, _hidden_note(titles))


def fits(columns: Sequence[Column], rows: Sequence[Row], terminal: TerminalStyle) -> bool:
    """Return whether a table has room for all columns, and for all that their cells say."""
    widths = _widths(columns, rows, range(len(columns)))
    used = [width for position, width in widths.items() if any(row[position][0] for row in rows)]
    return terminal.width is None or sum(used) + _GAP * (len(used) - 1) <= terminal.width


def table_with_notes(
    columns: Sequence[Column], rows: Sequence[Row], notes: Sequence[Text], terminal: TerminalStyle
) -> RenderableType:
    """Return a table for a terminal in which each row is followed by a note, which has the whole width.

    The notes begin below the second column.
    """
    visible, hidden = visible_columns(columns, rows, terminal)
    rows = _with_distinct_names(columns, rows, visible, terminal)
    widths = _widths(columns, rows, visible)
    for position in visible:
        if columns[position].shrink:
            widths[position] = _shrunk_width(columns, rows, visible, terminal) or widths[position]
    titles = [(column.title, "dim") for column in columns]
    indent = widths[visible[0]] + _GAP
    lines: list[RenderableType] = [_cells(titles, columns, widths, terminal)]
    for row, note in zip(rows, notes, strict=True):
        lines += [_cells(row, columns, widths, terminal), Padding(note, (0, 0, 0, indent))]
    names = [title.lower() for title in hidden if title]
    return Group(*lines, *([_hidden_note(names)] if names else []))


def _cells(row: Row, columns: Sequence[Column], widths: Mapping[int, int], terminal: TerminalStyle) -> Text:
    """Return one line of cells, each as wide as its column."""
    cells = []
    for position, width in widths.items():
        text, style = row[position]
        cut = text if cell_len(text) <= width else set_cell_size(text, width - 1) + terminal.pick(*_CUT)
        padding = " " * (width - cell_len(cut))
        cells.append(
            Text.assemble(padding, (cut, style)) if columns[position].right else Text.assemble((cut, style), padding)
        )
    return Text(" " * _GAP, no_wrap=True, overflow="ellipsis").join(cells)


def _hidden_note(titles: Sequence[str]) -> Text:
    return Text(f"{len(titles)} column{'s' * (len(titles) > 1)} hidden: {', '.join(titles)}", "dim")


def visible_columns(
    columns: Sequence[Column], rows: Sequence[Row], terminal: TerminalStyle
) -> tuple[list[int], list[str]]:
    """Return the positions of the columns that have room, and the titles of the others, the most important first."""
    if terminal.width is None:
        return [*range(len(columns))], []
    visible = [position for position in range(len(columns)) if any(row[position][0] for row in rows)]
    widths = _widths(columns, rows, visible)
    hidden: list[str] = []
    while _min_width(columns, widths, visible) > terminal.width:
        dropped = max(visible, key=lambda position: columns[position].drop)
        if not columns[dropped].drop:
            break
        visible.remove(dropped)
        hidden.insert(0, columns[dropped].title)
    return visible, hidden


def _min_width(columns: Sequence[Column], widths: Mapping[int, int], visible: Sequence[int]) -> int:
    if not visible:
        return 0
    *fixed, last = visible
    least = (min(widths[position], columns[position].shrink or widths[position]) for position in fixed)
    return sum(_GAP + width for width in least) + min(widths[last], _MIN_LAST_COLUMN)


def _shrunk_width(
    columns: Sequence[Column], rows: Sequence[Row], visible: Sequence[int], terminal: TerminalStyle
) -> int | None:
    """Return the width of the column that shrinks; None if nothing has to."""
    if terminal.width is None:
        return None
    widths = _widths(columns, rows, visible)
    (position,) = (position for position in visible if columns[position].shrink)
    free = terminal.width - _min_width(columns, widths, visible)
    return min(widths[position], columns[position].shrink + max(free, 0))


def _with_distinct_names(
    columns: Sequence[Column], rows: Sequence[Row], visible: Sequence[int], terminal: TerminalStyle
) -> Sequence[Row]:
    """Return rows in which names that would be the same once they are cut at their end are cut in the middle."""
    position = next((position for position in visible if columns[position].shrink), None)
    width = None if position is None else _shrunk_width(columns, rows, visible, terminal)
    if position is None or width is None:
        return rows
    names = {row[position][0] for row in rows}
    starts = Counter(set_cell_size(name, width - 1) for name in names if cell_len(name) > width)
    shortened: list[Row] = []
    for row in rows:
        name, style = row[position]
        if cell_len(name) > width and starts[set_cell_size(name, width - 1)] > 1:
            end = name[-(width // 3) :]
            name = f"{set_cell_size(name, width - 1 - cell_len(end))}{terminal.pick(*_CUT)}{end}"
        shortened.append([*row[:position], (name, style), *row[position + 1 :]])
    return shortened


def _widths(columns: Sequence[Column], rows: Sequence[Row], visible: Sequence[int]) -> dict[int, int]:
    return {
        position: max(cell_len(columns[position].title), *(cell_len(row[position][0]) for row in rows))
        for position in visible
    }
