"""Suggestions: replacements of lines, which a reviewer writes into a comment as on forges, and their application."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import msgspec

_BLOCK = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})suggestion[ \t]*\r?\n(?P<lines>(?:.*\n)??) {0,3}(?P=fence)[`~]*[ \t]*\r?$",
    re.MULTILINE | re.DOTALL,
)


class Replacement(msgspec.Struct, frozen=True):
    """The lines from `first` to `last` of a file (from 1), and the text in their place; an empty one removes them."""

    first: int
    last: int
    text: str


def split(text: str) -> tuple[str, str | None]:
    """Return the words of a comment without its first suggestion block, and the block's lines; None without one."""
    match = _BLOCK.search(text)
    if match is None:
        return text, None
    words = f"{text[: match.start()].rstrip()}\n{text[match.end() :].lstrip()}".strip()
    return words, match["lines"].replace("\r\n", "\n").removesuffix("\n")


def overlap(replacements: Sequence[Replacement]) -> tuple[Replacement, Replacement] | None:
    """Return two replacements of the same line, if there are any."""
    ordered = sorted(replacements, key=lambda replacement: (replacement.first, replacement.last))
    return next(((one, other) for one, other in pairwise(ordered) if other.first <= one.last), None)


def replaced(content: bytes, replacements: Sequence[Replacement]) -> bytes:
    """Return a file with lines replaced; they get the line ends of those before, and a last line keeps its own end."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", content)  # as git counts them: a lone carriage return ends none
    for replacement in sorted(replacements, key=lambda replacement: replacement.first, reverse=True):
        old = lines[replacement.first - 1 : replacement.last]
        ended = [line for line in old if line.endswith(b"\n")] or lines[:1]
        end = b"\r\n" if ended and all(line.endswith(b"\r\n") for line in ended) else b"\n"
        new = [line.encode() + end for line in replacement.text.split("\n")] if replacement.text else []
        if old and not old[-1].endswith(b"\n") and new:
            new[-1] = new[-1].removesuffix(end)
        lines[replacement.first - 1 : replacement.last] = new
    return b"".join(lines)
