"""The severity that a comment's words begin with."""

from __future__ import annotations

import pytest

from gitorch.model.review.severity import with_severity
from gitorch.model.task import Comment


@pytest.mark.parametrize(
    ("text", "severity", "words"),
    [
        ("must: rename it", "must", "rename it"),
        ("should:keep it", "should", "keep it"),
        ("note: one\ntwo", "note", "one\ntwo"),
        ("must:\nrename it", "must", "rename it"),
        ("must:", "", "must:"),
        ("must: \n", "", "must: \n"),
        ("must rename it", "", "must rename it"),
        ("one\nmust: two", "", "one\nmust: two"),
        ("?? why", "", "?? why"),
    ],
)
def test_the_first_word_says_how_much_it_weighs(text: str, severity: str, words: str) -> None:
    """`must:`, `should:` or `note:` at the very start, and words after it."""
    assert with_severity(Comment(text=text)) == Comment(text=words, severity=severity)


def test_an_option_wins() -> None:
    """What a reviewer has chosen is not read from the words again."""
    comment = Comment(text="must: rename it", severity="note")
    assert with_severity(comment) == comment
