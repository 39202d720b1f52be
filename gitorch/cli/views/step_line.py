"""A step of a command as one line, where there is no terminal to redraw."""

from __future__ import annotations

from rich.text import Text


def step_line(step: int, total: int, text: Text) -> Text:
    """Return the line of a step: its number of how many, and what it does."""
    return Text.assemble((f"{step + 1}/{total}", "dim"), "  ", text, no_wrap=True, overflow="ignore")
