"""Rows of two columns look like a table, whether they need its layout or not."""

from __future__ import annotations

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.aligned import AlignedRows
from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import Span, TerminalStyle

ROWS: list[tuple[tuple[Span, ...], object]] = [
    ((("✓", "green"), (" ", ""), ("first", "bold")), "2 commits as 1234567"),
    (
        (("≠", "bold red"), (" ", ""), ("日本語-wide", "bold")),
        Text.assemble(("conflicts in ", "red"), ("a b.txt", "bold")),
    ),
    ((("–", "yellow"), (" ", ""), ("a", "bold")), ""),  # noqa: RUF001
    ((("✓", "green"), (" ", ""), ("styled", "bold")), Text("as a whole [not markup]", "dim")),
]
MORE: dict[str, object] = {
    "nothing": "",
    "two lines": Text("one\ntwo"),
    "a group": Group(Text("one"), Text("two", "dim")),
    "a tab": "one\ttwo",
    "a long text": "word " * 30,
}


def table(rows: list[tuple[tuple[Span, ...], object]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    for name, details in rows:
        grid.add_row(Text.assemble(*name, no_wrap=True, overflow="ellipsis"), details)  # type: ignore[arg-type]
    return grid


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("width", [None, 12, 38, 39, 40, 80])
@pytest.mark.parametrize("colour", [False, True])
def test_they_are_what_a_table_shows(more: str, width: int | None, *, colour: bool) -> None:
    """At any width, with and without colours, with text that wraps, and in ASCII."""
    rows = [*ROWS, ((("x", ""),), MORE[more])]
    aligned = AlignedRows()
    for name, details in rows:
        aligned.add(name, details)  # type: ignore[arg-type]
    for terminal in (
        TerminalStyle(width=width, colour=colour),
        TerminalStyle(width=width, colour=colour, symbols=False, charset="ascii"),
    ):
        assert render(aligned, terminal) == render(table(rows), terminal)
    assert len(aligned) == len(rows)
