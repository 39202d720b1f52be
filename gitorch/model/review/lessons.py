"""Comments that a reviewer makes again and again: what could be said once, to every agent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.task import Comment
from gitorch.model.visible import visible

_LEAST_WORDS = 2
_LONGEST = 300


class RepeatedComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment that was made on several tasks: its words as they were last written, and the tasks."""

    text: str
    tasks: tuple[TaskId, ...]

    @property
    def line(self) -> str:
        """The comment as one line of a list."""
        words = " ".join(visible(self.text).split())
        sentence = words if words.endswith((".", "!", "?", ":", "`")) else f"{words}."
        return f"- {sentence[:1].upper()}{sentence[1:]}"


def normalized(text: str) -> str:
    """Return the words of a comment without case, punctuation and line ends."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def repeated(comments: Iterable[tuple[TaskId, Comment]], known: str = "") -> list[RepeatedComment]:
    """Return the comments that were made on two or more tasks, the most frequent first.

    `comments` are in the order of their time. Questions, and what is said in `known` already, are left out.
    """
    tasks: dict[str, dict[TaskId, None]] = {}
    texts: dict[str, str] = {}
    for task, comment in comments:
        words = normalized(comment.text)
        if comment.is_question or words.count(" ") + 1 < _LEAST_WORDS or len(words) > _LONGEST:
            continue
        tasks.setdefault(words, {})[task] = None
        texts[words] = comment.text
    already = f" {normalized(known)} "
    lessons = [
        RepeatedComment(text=texts[words], tasks=tuple(names))
        for words, names in tasks.items()
        if len(names) > 1 and f" {words} " not in already
    ]
    return sorted(lessons, key=lambda entry: (-len(entry.tasks), entry.text))
