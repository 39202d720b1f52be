"""Comments that were made on several tasks: the same words, however they are written."""

from __future__ import annotations

from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.reviewing import lessons as views
from gitorch.model.naming import TaskId
from gitorch.model.review.lessons import repeated
from gitorch.model.task import Comment


def said(*pairs: tuple[str, str]) -> list[tuple[TaskId, Comment]]:
    return [(TaskId(task), Comment(text=text)) for task, text in pairs]


def test_the_same_words_on_two_tasks() -> None:
    """Case, punctuation and line ends do not matter; one task twice, questions and single words do not count."""
    found = repeated(
        said(
            ("a", "use `scrypt`, not sha256"),
            ("b", "No prints"),
            ("a", "no prints!"),
            ("b", "Use scrypt\nnot SHA256."),
            ("c", "no prints"),
            ("c", "?? why this"),
            ("a", "?? why this"),
            ("a", "typo"),
            ("b", "typo"),
            ("a", "only here"),
            ("a", "only here"),
        )
    )
    assert [(entry.line, entry.tasks) for entry in found] == [
        ("- No prints.", ("b", "a", "c")),
        ("- Use scrypt not SHA256.", ("a", "b")),
    ]


def test_what_is_written_down_already_is_not_offered() -> None:
    """A line of AGENTS.md that has the words ends it; a part of a word does not."""
    comments = said(("a", "no prints"), ("b", "no prints"))
    assert repeated(comments, "# Rules\n\n- No prints, please.\n") == []
    assert len(repeated(comments, "no printsheets")) == 1


def test_hostile_words_are_quoted_for_the_shell() -> None:
    """Notes may come from others: what is offered is one harmless argument on one line."""
    text = "it's $(rm -rf x); \x1b[2J\u202e `y`\nnext line"
    (entry,) = repeated(said(("a", text), ("b", text)))
    terminal = TerminalStyle(width=80)
    command, _ = views.hints(entry, terminal)[0]
    assert "\x1b" not in command
    assert "\u202e" not in command
    assert "\n" not in command
    assert """'"'"'s $(rm -rf x)""" in command
    assert views.offer([entry]).endswith("orchestrate review --repeated")
