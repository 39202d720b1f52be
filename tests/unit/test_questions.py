"""Which messages of an agent end with a question."""

from __future__ import annotations

import pytest

from gitorch.model import questions

ASKED = [
    ("Which database should I use: Postgres or SQLite?", "Which database should I use: Postgres or SQLite?"),
    ("I read the code.\n\nWhich one?\n\n- Postgres\n- SQLite\n", "Which one? - Postgres - SQLite"),
    ("Which one do you want:\n1. A\n2. B", "Which one do you want: 1. A 2. B"),
    ("Two points:\n\n1. Which host?\n2. Which port?", "Two points: 1. Which host? 2. Which port?"),
    ("Postgres or SQLite? I'll wait for your answer.", "Postgres or SQLite? I'll wait for your answer."),
    (
        "Which database should it use, SQLite or Postgres? Both would work. The second needs a server.",
        "Which database should it use, SQLite or Postgres? Both would work. The second needs a server.",
    ),
    ("Do you want a new file? I have changed nothing.", "Do you want a new file? I have changed nothing."),
    ("Please tell me which file you mean.", "Please tell me which file you mean."),
    ("**Should I go on?**", "**Should I go on?**"),
    ("Overwrite it? (y/n)", "Overwrite it? (y/n)"),
    (
        "Before I start:\n- What is the database?\n- Which port?\n\nPlease let me know and I'll proceed.",
        "Before I start: - What is the database? - Which port? Please let me know and I'll proceed.",
    ),
    ("Could you provide the path?\n\nThanks!", "Could you provide the path?"),
    ("Waiting for your decision: A) rewrite, B) patch.", "Waiting for your decision: A) rewrite, B) patch."),
    ("\u6570\u636e\u5e93\u7528\u54ea\u4e2a\uff1f", "\u6570\u636e\u5e93\u7528\u54ea\u4e2a\uff1f"),
    ("\u0623\u064a\u061f", "\u0623\u064a\u061f"),
]


@pytest.mark.parametrize(("message", "question"), ASKED)
def test_a_question_at_the_end_is_read_with_its_answers(message: str, question: str) -> None:
    """Marks of several scripts, emphasis, listed answers, and what only waits for the answer."""
    assert questions.at_end_of(message) == question


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n\n",
        "Done.",
        "Why did it fail? The path was wrong. Nothing has to change.",
        "Nothing to do. Is there anything else I can help with?",
        "- a\n- b",
        "Is it there?\n\nYes, it is.",
        "The feature exists already. Let me know if something is missing.",
        "Thanks!",
    ],
)
def test_other_messages_ask_nothing(message: str) -> None:
    """A question that the message answers, and a polite last line, are none."""
    assert questions.at_end_of(message) == ""


def test_a_long_question_is_cut() -> None:
    """What is kept with the task has a limit."""
    assert len(questions.at_end_of("x " * 5_000 + "?")) == 2_000
