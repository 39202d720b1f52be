"""What a resolution changed in a file: the places where git found a conflict, with what stands there now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import msgspec

from gitorch.replay.hunks import find_marks

_MAX_LINES = 20_000
"""Longer files are not compared line by line: their sides are blobs that git can compare."""

Lines = tuple[str, ...]


class ResolvedHunk(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a resolved file: the lines of both sides, of what both started from, and of the result.

    `line` is the number of the first line in the result.
    """

    line: int
    base: Lines
    ours: Lines
    theirs: Lines
    result: Lines


class _Place(msgspec.Struct, frozen=True):
    """A part of a file with marks: a line that both sides have, or a conflict."""

    base: Lines
    ours: Lines
    theirs: Lines

    @property
    def text(self) -> str | None:
        """The line that both sides have; None for a conflict, which is equal to no line."""
        return self.ours[0] if self.base == self.ours == self.theirs and len(self.ours) == 1 else None


def resolved_hunks(marked: bytes, result: bytes) -> list[ResolvedHunk] | None:
    """Return where a result differs from a merge that git marked (`--diff3`); None for a binary or huge file."""
    if b"\0" in marked or b"\0" in result:
        return None
    segments, lines = [*_places(_lines(marked))], _lines(result)
    if len(segments) + len(lines) > _MAX_LINES:
        return None
    # a conflict is an object of its own, so that it matches no line
    before = [segment.text if segment.text is not None else segment for segment in segments]
    hunks = []
    for kind, first, last, start, end in SequenceMatcher(None, before, lines, autojunk=False).get_opcodes():
        if kind != "equal":
            changed = segments[first:last]
            hunks.append(
                ResolvedHunk(
                    line=start + 1,
                    base=tuple(line for segment in changed for line in segment.base),
                    ours=tuple(line for segment in changed for line in segment.ours),
                    theirs=tuple(line for segment in changed for line in segment.theirs),
                    result=tuple(lines[start:end]),
                )
            )
    return hunks


def _places(lines: Sequence[str]) -> Iterator[_Place]:
    index = 0
    while index < len(lines):
        marks = find_marks(lines, index)
        if marks is None:
            line = (lines[index],)
            yield _Place(line, line, line)
            index += 1
            continue
        our_end, separator, end = marks
        base = tuple(lines[our_end + 1 : separator])
        yield _Place(base, tuple(lines[index + 1 : our_end]), tuple(lines[separator + 1 : end]))
        index = end + 1


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
