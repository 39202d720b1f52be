"""What a resolution changed in a file, from a merge with marks and the result."""

from __future__ import annotations

import pytest

from gitorch.replay.resolved_hunks import ResolvedHunk, resolved_hunks

OURS, BASE, THEIRS = "a" * 40, "b" * 40, "c" * 40


def conflict(ours: str, base: str, theirs: str) -> str:
    return f"<<<<<<< {OURS}\n{ours}||||||| {BASE}\n{base}=======\n{theirs}>>>>>>> {THEIRS}\n"


def hunks(marked: str, result: str) -> list[ResolvedHunk]:
    found = resolved_hunks(marked.encode(), result.encode())
    assert found is not None
    return found


def test_both_insertions() -> None:
    """The lines of each side, and of the result, with its line number there."""
    marked = "class Shop:\n" + conflict("    a\n", "", "    b\n") + "end\n"
    assert hunks(marked, "class Shop:\n    a\n    b\nend\n") == [
        ResolvedHunk(line=2, base=(), ours=("    a",), theirs=("    b",), result=("    a", "    b"))
    ]


def test_several_conflicts_and_a_change_elsewhere() -> None:
    """A line that both sides had, and that the resolution changed, is a hunk of its own."""
    marked = "start\n" + conflict("x\n", "w\n", "y\n") + "use name\nkeep\n" + conflict("1\n", "", "2\n") + "end\n"
    found = hunks(marked, "start\nx\ny\nuse other\nkeep\n2\n1\nend\n")
    assert [(hunk.base, hunk.ours, hunk.theirs, hunk.result) for hunk in found] == [
        (("w", "use name"), ("x", "use name"), ("y", "use name"), ("x", "y", "use other")),
        ((), ("1",), ("2",), ("2", "1")),
    ]


def test_a_conflict_that_leaves_nothing() -> None:
    marked = "a\n" + conflict("x\n", "w\n", "") + "b\n"
    assert [(hunk.line, hunk.result) for hunk in hunks(marked, "a\nb\n")] == [(2, ())]


@pytest.mark.parametrize("text", ["a\n", "", "no line end"])
def test_nothing_was_changed(text: str) -> None:
    assert hunks(text, text) == []


def test_marks_of_the_file_itself_are_text() -> None:
    """Only git's own labels make a mark: a file about conflicts has lines that look like some."""
    text = "<<<<<<< ours\n=======\n>>>>>>> theirs\n"
    assert hunks(text, text) == []


def test_binary_and_huge_files_are_not_compared() -> None:
    assert resolved_hunks(b"a\0b", b"a") is None
    assert resolved_hunks(b"a\n" * 30_000, b"a\n") is None
