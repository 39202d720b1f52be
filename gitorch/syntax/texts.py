"""Merge of what a grammar has no structure for: string literals, docstrings, comments."""

from __future__ import annotations

import re

from gitorch.syntax.choices import Choices
from gitorch.syntax.lines import merge_lines
from gitorch.syntax.outcome import Unresolved

_QUOTED = re.compile(rb"(\w*(?P<quote>\"\"\"|'''|[\"'`]))(?P<body>.*?)(?P<space>\s*)(?P=quote)", re.DOTALL)


def merge_text(base: bytes, ours: bytes, theirs: bytes, choices: Choices, *, prose: bool) -> bytes:
    """Return a text literal or comment with the changes of both sides; the quotes are not part of the prose."""
    first, second, third = (_QUOTED.fullmatch(text) for text in (base, ours, theirs))
    if not (first and second and third):
        return merge_lines(base, ours, theirs, choices, prose=prose)
    prose = prose or any(b"\n" in text for text in (base, ours, theirs))
    body = merge_lines(first["body"], second["body"], third["body"], choices, prose=prose)
    opening = either(first[1], second[1], third[1])
    space = either_space(first["space"], second["space"], third["space"])
    return opening + body + space + either(first["quote"], second["quote"], third["quote"])


def either(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Return the value of the side that changed it; the same change by both is one."""
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    raise Unresolved("both sides change the quotes of a text")


def either_space(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Return the white space of the side that changed it; of both, the one with more line breaks."""
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    return max(ours, theirs, key=lambda space: space.count(b"\n"))
