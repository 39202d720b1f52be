"""A draft: a task as it was asked for, before it has a name and a place among the others."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from gitorch.errors import InvalidInput
from gitorch.model.task import Priority

TITLE_WIDTH = 72


_LONGEST_LINE = 4096


STDIN = "standard input"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it was asked for, before it has a name and a place among the others.

    `after` holds names as they were written; `context` is JSON text; `base` a git revision; `budget` dollars and
    `timeout` seconds (0: the configured ones); `origin` tells where it stands: `tasks.toml:12`.
    """

    title: str
    prompt: str
    id: str = ""
    agent: str = ""
    role: str = ""
    priority: Priority = Priority.NORMAL
    after: tuple[str, ...] = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] = ()
    goal: str = ""
    acceptance: tuple[str, ...] = ()
    context: str = ""
    base: str = ""
    budget: float = 0.0
    timeout: float = 0.0
    origin: str = ""


def from_text(text: str, *, origin: str = "") -> Draft:
    """Return the draft of a task that is described by `text`: the prompt is all of it, the title its first line.

    Raises `InvalidInput` for text that is blank, or that was not UTF-8 when it came in.
    """
    if not text.strip():
        raise InvalidInput("empty-prompt", f"{place_of(origin)}there is nothing to do: the task's text is empty")
    refuse_surrogates(text, origin)
    return Draft(title=headline(text), prompt=text, origin=origin)


def headline(text: str) -> str:
    """Return the first line that says something, cut at a word to what a terminal shows well."""
    cleaned = (" ".join(_visible(line[:_LONGEST_LINE]).split()) for line in text.removeprefix("\ufeff").splitlines())
    first = ""
    for line in filter(None, cleaned):
        if any(character.isalnum() for character in line):
            return shortened(re.sub(r"^#{1,6} ", "", line))
        first = first or line
    return shortened(first or "task")


def shortened(line: str, width: int = TITLE_WIDTH) -> str:
    """Cut a line to this many display columns, at a word where there is one, with an ellipsis."""
    if _width(line) <= width:
        return line
    at = total = 0
    while (total := total + _width(line[at])) < width:
        at += 1
    space = line.rfind(" ", 0, at + 1)
    return line[: space if space > at // 2 else at].rstrip() + "…"


def _visible(line: str) -> str:
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in line)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def place_of(origin: str) -> str:
    return f"{origin}: " if origin else ""


def refuse_surrogates(text: str, origin: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", f"{place_of(origin)}the text is not UTF-8", why=str(error)) from error
