"""Values that are written as several literals, such as a version, a date or a color."""

from __future__ import annotations

import re

from gitorch.syntax.nodes import Node

_NUMBER = re.compile(rb"[-+]?\.?\d")
_TEXT = re.compile(rb"[bBfFrRuU]{0,2}[\"'`]")


def mixes_one_value(base: Node, ours: Node, theirs: Node) -> bool:
    """Return whether both sides change literals of one value: together they would be a value that nobody wrote.

    Each side has as many literals as the base, and at least one that is changed is a number.
    """
    rows = [[child.text for child in node.children if child.named] for node in (base, ours, theirs)]
    if len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return False
    if not all(_NUMBER.match(text) or _TEXT.match(text) for row in rows for text in row):
        return False
    by_ours, by_theirs = ({i for i, text in enumerate(row) if text != rows[0][i]} for row in rows[1:])
    return bool(by_ours and by_theirs) and any(_NUMBER.match(rows[0][i]) for i in by_ours | by_theirs)
