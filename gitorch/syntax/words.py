"""Words of a text: what token equality, likeness and conservation are counted in."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_TOKENS = re.compile(rb"\w+|[^\w\s]")
_PIECES = re.compile(rb"v?\d+(?:\.\w+|-\d\w*)+|\w+|[^\S\n]+|\n|[^\w\s]")
"""A version or a date is one word: half of each side is neither."""
_NAMES = re.compile(rb"\w+")


@lru_cache(maxsize=4096)
def tokens(text: bytes) -> tuple[bytes, ...]:
    """Return the words and signs of a text; white space is dropped."""
    return tuple(_TOKENS.findall(text))


def pieces(text: bytes) -> list[bytes]:
    """Return words, signs and runs of white space; joined, they are the text (other bytes stand alone)."""
    return _PIECES.findall(text)


@lru_cache(maxsize=4096)
def bag(text: bytes) -> Counter[bytes]:
    """Return how often each token occurs in a text."""
    return Counter(tokens(text))


def shared(first: bytes, second: bytes) -> float:
    """Return how alike two texts are by tokens: 0 to 1, twice the common tokens by the sum of both."""
    total = len(tokens(first)) + len(tokens(second))
    return 2 * _common(first, second) / total if total else 1.0


def contained(first: bytes, second: bytes) -> float:
    """Return how much of the smaller text is in the larger one, 0 to 1, by tokens."""
    smaller = min(len(tokens(first)), len(tokens(second)))
    return _common(first, second) / smaller if smaller else 1.0


def conserved(base: bytes, ours: bytes, theirs: bytes, merged: bytes) -> bool:
    """Return whether a merge adds and removes each word as both sides together did.

    Where both sides change the count of a word in the same direction, the merge changes it by no less than the larger
    of the two and no more than their sum. Where they differ in direction, it changes by their sum.
    """
    in_base, in_ours, in_theirs, in_merged = (count_names(text) for text in (base, ours, theirs, merged))
    for word in in_ours.keys() | in_theirs.keys() | in_base.keys() | in_merged.keys():
        by_ours, by_theirs = in_ours[word] - in_base[word], in_theirs[word] - in_base[word]
        change = in_merged[word] - in_base[word]
        total = by_ours + by_theirs
        larger = max(by_ours, by_theirs, key=abs)
        if by_ours * by_theirs < 0:
            larger = total
        if not min(larger, total) <= change <= max(larger, total):
            return False
    return True


@lru_cache(maxsize=8)
def count_names(text: bytes) -> Counter[bytes]:
    """Return how often each word occurs in a text; signs are not counted."""
    return Counter(_NAMES.findall(text))


def _common(first: bytes, second: bytes) -> int:
    smaller, larger = bag(first), bag(second)
    if len(larger) < len(smaller):
        smaller, larger = larger, smaller
    return sum(min(count, larger[token]) for token, count in smaller.items() if token in larger)
