"""Tables of the command line: columns without room are dropped and named, unless they have no title."""

from __future__ import annotations

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.terminal.table import Column, Row, table

ROWS: list[Row] = [[("add-a-users-table", ""), ("backend", ""), ("Add a users table and its migration", "")]]


def test_dropped_columns_are_named() -> None:
    """A column that has no room is left out, and a line below the table names it."""
    columns = [Column(title="Task"), Column(title="Role", drop=1), Column(title="Title")]
    text = render(table(columns, ROWS, TerminalStyle(width=30)), TerminalStyle(width=30))
    assert "backend" not in text
    assert text.splitlines()[-1].strip() == "1 column hidden: role"


def test_dropped_columns_without_a_title_are_not_mentioned() -> None:
    """A list without titles drops columns silently: there is no name to give."""
    columns = [Column(title=""), Column(title="", drop=1), Column(title="")]
    text = render(table(columns, ROWS, TerminalStyle(width=30)), TerminalStyle(width=30))
    assert "backend" not in text
    assert "hidden" not in text


def test_a_column_shrinks_before_another_is_dropped() -> None:
    """Down to its least width; a wide terminal shows all of it."""
    columns = [Column(title="Task", shrink=8), Column(title="Role", drop=1), Column(title="Title")]
    narrow, wide = TerminalStyle(width=50), TerminalStyle(width=100)
    text = render(table(columns, ROWS, narrow), narrow)
    assert "backend" in text
    assert "add-a-us" in text
    assert "add-a-users-table" not in text
    assert "hidden" not in text
    assert all(len(line) <= 50 for line in text.splitlines())
    assert "add-a-users-table" in render(table(columns, ROWS, wide), wide)
