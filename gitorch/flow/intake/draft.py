"""A task as submitted, before it has an id and a number."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from gitorch.errors import InvalidInput
from gitorch.model.task import Priority

TITLE_WIDTH = 72


_LONGEST_LINE = 4096


STDIN = "standard input"


class TaskDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A task as submitted, before it has an id and a number.

    `after` holds names as the user wrote them; `context` is JSON text; `base` a git revision; `budget` is in dollars
    and `timeout` in seconds (0: the configured ones); with several `agents`, or several `attempts`, it becomes rival
    attempts; `origin` is its file and line: `tasks.toml:12`.
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
    agents: tuple[str, ...] = ()
    attempts: int = 1
    origin: str = ""


def from_text(text: str, *, origin: str = "") -> TaskDraft:
    """Return a draft whose prompt is `text` and whose title is its first line.

    Raises `InvalidInput` for text that is blank or not UTF-8.
    """
    if not text.strip():
        raise InvalidInput("empty-prompt", f"{origin_prefix(origin)}the text of the task is empty")
    refuse_surrogates(text, origin)
    return TaskDraft(title=headline(text), prompt=text, origin=origin)


def headline(text: str) -> str:
    """Return the first line with letters or digits, shortened at a word to fit in a terminal."""
    cleaned = (" ".join(_visible(line[:_LONGEST_LINE]).split()) for line in text.removeprefix("\ufeff").splitlines())
    first = ""
    for line in filter(None, cleaned):
        if any(character.isalnum() for character in line):
            return shortened(re.sub(r"^#{1,6} ", "", line))
        first = first or line
    return shortened(first or "task")


def shortened(line: str, width: int = TITLE_WIDTH) -> str:
    """Cut a line to this many display columns, at a word if possible, with an ellipsis."""
    if _width(line) <= width:
        return line
    end = total = 0
    while (total := total + _width(line[end])) < width:
        end += 1
    space = line.rfind(" ", 0, end + 1)
    return line[: space if space > end // 2 else end].rstrip() + "…"


def _visible(line: str) -> str:
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in line)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def origin_prefix(origin: str) -> str:
    return f"{origin}: " if origin else ""


def refuse_surrogates(text: str, origin: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", f"{origin_prefix(origin)}the text is not UTF-8", why=str(error)) from error
