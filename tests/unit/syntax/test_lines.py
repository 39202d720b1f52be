"""The rung of lines: what it merges without a grammar, and where it stops."""

from __future__ import annotations

import pytest

from gitorch.syntax.choices import Choices
from gitorch.syntax.lines import merge_lines
from gitorch.syntax.outcome import Unresolved

BASE = b"one = 1\ntwo = 2\nthree = 3\n"


def test_changes_in_one_hunk_that_touch_different_lines_are_both_taken() -> None:
    ours, theirs = BASE.replace(b"= 1", b"= 10"), BASE.replace(b"= 2", b"= 20")
    assert merge_lines(BASE, ours, theirs, Choices()) == b"one = 10\ntwo = 20\nthree = 3\n"


def test_changes_of_different_words_in_one_line_are_both_taken() -> None:
    merged = merge_lines(b"call(a, b)\n", b"call(x, b)\n", b"call(a, y)\n", Choices())
    assert merged == b"call(x, y)\n"


def test_both_insertions_at_one_place_are_kept_in_merge_order() -> None:
    choices = Choices()
    merged = merge_lines(BASE, BASE + b"four = 4\n", BASE + b"five = 5\n", choices)
    assert merged == BASE + b"four = 4\nfive = 5\n"
    assert choices.evidence == ["both insertions kept: ours first, at “four = 4”"]


def test_the_reverse_order_is_the_second_choice() -> None:
    merged = merge_lines(BASE, BASE + b"four = 4\n", BASE + b"five = 5\n", Choices(reverse_all=True))
    assert merged == BASE + b"five = 5\nfour = 4\n"


def test_the_same_insertion_of_both_sides_is_taken_once() -> None:
    side = BASE + b"four = 4\n"
    assert merge_lines(BASE, side, side.replace(b"1", b"10"), Choices()) == side.replace(b"1", b"10")


def test_a_replacement_goes_before_an_insertion_after_the_replaced_line() -> None:
    theirs = BASE.replace(b"two = 2\n", b"two = 2\nhalf = 0.5\n")
    merged = merge_lines(BASE, BASE.replace(b"two = 2", b"import other"), theirs, Choices())
    assert merged == b"one = 1\nimport other\nhalf = 0.5\nthree = 3\n"


def test_an_insertion_without_final_line_end_gets_one_before_the_next_insertion() -> None:
    assert merge_lines(b"a\n", b"a\nb", b"a\nc", Choices()) == b"a\nb\nc"
    assert merge_lines(b"a\r\n", b"a\r\nb", b"a\r\nc\r\n", Choices()) == b"a\r\nb\r\nc\r\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (b"speed = 1\n", b"speed = 2\n", b"speed = 3\n"),
        (b"a\nb\nc\n", b"a\nc\n", b"a\nb b b b2\nc\n"),
        (b"x = f(1)\n", b"x = f(1) + 2\n", b"x = f(1) * 3\n"),
    ],
    ids=["same word", "deleted and changed", "both extend one expression"],
)
def test_what_excludes_itself_is_not_merged(base: bytes, ours: bytes, theirs: bytes) -> None:
    with pytest.raises(Unresolved):
        merge_lines(base, ours, theirs, Choices())
