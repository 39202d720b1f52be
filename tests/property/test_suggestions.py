"""Suggestions: only the named lines change, whatever the file and the text are, and git's diff finds moved lines."""

from __future__ import annotations

import difflib

from hypothesis import given, strategies as st
from unidiff.patch import PatchSet

from gitorch.model.review.suggestions import Replacement, replaced, split

_LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=6)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[str], list[Replacement]]:
    lines = draw(st.lists(_LINE, min_size=1, max_size=12))
    edits, line = [], 1
    while line <= len(lines):
        first = line + draw(st.integers(0, 4))
        last = first + draw(st.integers(0, 2))
        if last > len(lines):
            break
        new = draw(st.lists(_LINE, max_size=3))
        edits.append(Replacement(first, last, "\n".join(new)))
        line = last + 1
    return lines, draw(st.permutations(edits))


@given(_cases(), st.booleans(), st.booleans())
def test_only_the_named_lines_change(case: tuple[list[str], list[Replacement]], ends: bool, dos: bool) -> None:
    """Read by another parser of diffs: nothing but the replaced lines is removed, nothing but the texts is added."""
    lines, edits = case
    end = "\r\n" if dos else "\n"
    old = [line + end for line in lines]
    if not ends and lines[-1]:  # a file without a line end at its end
        old[-1] = lines[-1]
    text = "".join(old)
    result = replaced(text.encode(), edits).decode()
    expected, at = [], 1
    for edit in sorted(edits, key=lambda edit: edit.first):
        expected += old[at - 1 : edit.first - 1]
        new = [line + end for line in edit.text.split("\n")] if edit.text else []
        if new and not old[edit.last - 1].endswith(end):
            new[-1] = new[-1].removesuffix(end)
        expected += new
        at = edit.last + 1
    expected += old[at - 1 :]
    assert result == "".join(expected)
    before, after = text.split("\n"), result.split("\n")
    diff = list(difflib.unified_diff(before, after, "a", "b", n=0, lineterm=""))
    patch = PatchSet("\n".join(diff) + "\n" if diff else "")
    assert patch.removed <= sum(edit.last - edit.first + 1 for edit in edits) + (old[-1] == lines[-1])
    assert patch.added <= sum(edit.text.count("\n") + bool(edit.text) for edit in edits) + (old[-1] == lines[-1])


@given(st.lists(_LINE, max_size=3), st.lists(_LINE, max_size=4), st.sampled_from(["```", "````", "~~~"]))
def test_a_block_in_words_is_a_suggestion(words: list[str], lines: list[str], fence: str) -> None:
    """The lines between the fences come back as they are, and the words without them."""
    if any("```" in line or "~~~" in line for line in (*words, *lines)):
        return
    block = "".join(f"{line}\n" for line in lines)
    text = "\n".join([*words, f"{fence}suggestion\n{block}{fence}"])
    assert split(text) == ("\n".join(words).strip(), block.removesuffix("\n"))
    assert split("\n".join(words)) == ("\n".join(words), None)
