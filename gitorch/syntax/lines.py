"""Merge of texts by lines, and of lines by words.

Used for files without a grammar, and for what a grammar has no structure for: docstrings, comments, prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitorch.syntax import words
from gitorch.syntax.alignment import align_equal, fill_gaps
from gitorch.syntax.choices import Choices
from gitorch.syntax.outcome import Unresolved
from gitorch.syntax.sequences import Lost, Run, merge_sequences

# a line is a changed line, and not another one, from this share of common words on
_SAME_LINE = 0.6
_LONGEST_LINE = 4_000
_BRACKETS = frozenset(b"()[]{},;")


def merge_lines(base: bytes, ours: bytes, theirs: bytes, choices: Choices, *, prose: bool = False) -> bytes:
    """Return a text with the changes of both sides; raise `Unresolved` where they exclude each other.

    With `prose`, no blank line and no lone bracket joins two insertions, and words may be inserted by both sides.
    """
    versions = [text.splitlines(keepends=True) for text in (base, ours, theirs)]
    in_base, in_ours, in_theirs = versions
    rules = _LineRules(choices, prose=prose)
    to_ours, to_theirs = _align_lines(in_base, in_ours), _align_lines(in_base, in_theirs)
    return b"".join(_with_line_ends(merge_sequences(in_base, in_ours, in_theirs, to_ours, to_theirs, rules)))


def _with_line_ends(lines: Sequence[bytes]) -> list[bytes]:
    """Return lines of which only the last may lack its line end."""
    end = b"\r\n" if any(line.endswith(b"\r\n") for line in lines) else b"\n"
    return [*(line if line.endswith((b"\n", b"\r")) else line + end for line in lines[:-1]), *lines[-1:]]


def _align_lines(base: list[bytes], side: list[bytes]) -> list[int | None]:
    def likeness(i: int, j: int) -> float:
        if max(len(base[i]), len(side[j])) > _LONGEST_LINE or _is_trivial(base[i]) or _is_trivial(side[j]):
            return 0.0
        alike = words.shared(base[i], side[j])
        return alike if alike >= _SAME_LINE else 0.0

    return fill_gaps(align_equal(base, side), len(side), likeness)


def _is_trivial(line: bytes) -> bool:
    """Return whether a line is blank or made of brackets only, and so like many others."""
    return all(sign in _BRACKETS for sign in line.strip())


class _LineRules:
    """Lines are merged by words; both insertions at one place are kept."""

    def __init__(self, choices: Choices, *, prose: bool) -> None:
        self._choices = choices
        self._prose = prose

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> bytes:
        if ours in (base, theirs):
            return theirs
        if theirs == base:
            return ours
        if max(len(base), len(ours), len(theirs)) > _LONGEST_LINE:
            raise Unresolved("both sides change one very long line")
        return merge_words(base, ours, theirs, self._choices, prose=self._prose)

    def same(self, first: bytes, second: bytes) -> bool:
        return first == second

    def keep(self, items: tuple[bytes, ...], *, from_ours: bool) -> list[bytes]:
        return list(items)

    def follow(self, lost: list[Lost[bytes]], items: tuple[bytes, ...], *, from_ours: bool) -> list[bytes] | None:
        return None

    def split(self, run: Run[bytes]) -> list[Run[bytes]]:
        return [run]

    def arrange(self, ours: Run[bytes], theirs: Run[bytes]) -> bool:
        if ours.replaces or theirs.replaces:
            raise Unresolved("both sides replace the same lines")
        return self._choices.ours_first(_first_words(ours.items))

    def join(self, base: Sequence[bytes], ours: Run[bytes], theirs: Run[bytes]) -> list[bytes]:
        raise Unresolved("both sides replace the same lines")

    def without_repeats(self, ours: Run[bytes], theirs: Run[bytes]) -> Run[bytes]:
        return replace(theirs, items=()) if ours.items == theirs.items else theirs


def _first_words(lines: Sequence[bytes]) -> str:
    """Return a place for the evidence: the first line with words."""
    for line in lines:
        if not _is_trivial(line):
            text = line.strip().decode("utf-8", "replace")
            return f"at “{text if len(text) <= 60 else text[:59] + '…'}”"
    return ""


def merge_words(base: bytes, ours: bytes, theirs: bytes, choices: Choices, *, prose: bool = False) -> bytes:
    """Return one line with the changes of both sides, by words."""
    in_base, in_ours, in_theirs = (words.pieces(text) for text in (base, ours, theirs))
    to_ours, to_theirs = align_equal(in_base, in_ours), align_equal(in_base, in_theirs)
    rules = _WordRules(choices, prose=prose)
    merged: list[bytes] = merge_sequences(in_base, in_ours, in_theirs, to_ours, to_theirs, rules)
    return b"".join(merged)


class _WordRules(_LineRules):
    """Words are equal or not; both insertions at one place are kept in prose and in lists only."""

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> bytes:
        return theirs

    def arrange(self, ours: Run[bytes], theirs: Run[bytes]) -> bool:
        if ours.replaces or theirs.replaces:
            raise Unresolved("both sides replace the same words")
        if not self._prose and not _are_entries(ours.items, theirs.items):
            raise Unresolved("both sides insert words at the same place")
        return self._choices.ours_first()


def _are_entries(ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> bool:
    """Return whether two insertions are entries of a list, each with its comma on the same side."""
    first, second = [[word for word in run if word.strip()] for run in (ours, theirs)]
    if not first or not second:
        return False
    return first[0] == second[0] == b"," or first[-1] == second[-1] == b","
