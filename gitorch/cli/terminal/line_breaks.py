"""Plain text that is wider than a terminal, broken between words: a terminal itself breaks it within them."""

from __future__ import annotations

from collections.abc import Iterator


def broken_between_words(text: str, width: int, indent: int = 0) -> str:
    """Return a text whose lines are no wider than this, where they have spaces; further lines are indented.

    Commands stay whole, so that they can be copied: a line that is indented, and one that names a command at its end.
    """
    return "\n".join(part for line in text.split("\n") for part in _parts(line, width, " " * indent))


def _parts(line: str, width: int, indent: str) -> Iterator[str]:
    has_command = line.startswith(" ") or ": orchestrate " in line or "\x1b" in line
    while len(line) > width and not has_command and (end := line.rfind(" ", len(indent) + 1, width + 1)) > 0:
        yield line[:end]
        line = indent + line[end + 1 :]
    yield line
