"""Values of enumerations, given or counted: two entries must not share one, and none may change by a merge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gitorch.syntax.likeness import key_of
from gitorch.syntax.nodes import Node

_NUMBER = re.compile(rb"=\s*(-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*))\s*\Z")

Values = dict[tuple[str, str], int | None]
"""The values of the entries of enumerations, by the name of the enumeration and their own; None if not known."""


def changed_value(versions: tuple[Node, Node, Node], merged: Node) -> str | None:
    """Return an entry that a merge gives another value than both sides do, or the value of another entry."""
    base, ours, theirs = (dict(_values(version)) for version in versions)
    found = dict(_values(merged))
    for entry, value in found.items():
        if entry in base and value not in (ours.get(entry), theirs.get(entry)):
            return f"“{entry[1]}” gets a value that no side gives it"
    before = [_uses(values) for values in (base, ours, theirs)]
    for (name, value), count in _uses(found).items():
        if count > 1 and count > max(uses[name, value] for uses in before):
            return f"the value {value} is there twice"
    return None


def _uses(values: Values) -> Counter[tuple[str, int]]:
    return Counter((name, value) for (name, _), value in values.items() if value is not None)


def _values(root: Node) -> Iterator[tuple[tuple[str, str], int | None]]:
    pending = [(root, "")]
    while pending:
        node, path = pending.pop()
        key = key_of(node)
        path = path if key is None else f"{path}/{key.decode('utf-8', 'replace')}"
        if node.kind in node.language.counted:
            yield from (((path, name), value) for name, value in _entries(node))
        elif node.kind not in node.language.functions:
            pending += [(child, path) for child in node.children]


def _entries(enumeration: Node) -> Iterator[tuple[str, int | None]]:
    """Yield the names and values of the entries; one without a value counts on from the one before."""
    language = enumeration.language
    if language.counter_word.encode() not in enumeration.text:
        return
    kinds = language.counted[enumeration.kind].split()
    value: int | None = -1
    for entry in enumeration.children:
        if not entry.named or entry.kind in language.comments:
            continue
        name, is_given, _ = entry.text.partition(b"=")
        if number := _NUMBER.search(entry.text):
            value = _number(number[1])
        elif entry.kind not in kinds or (is_given and not language.counter_word):
            value = None
        elif value is not None:
            value += 1
        yield name.strip().decode("utf-8", "replace"), value


def _number(text: bytes) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return int(text, 8)
