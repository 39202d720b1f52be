"""What a node declares under a name of its own, beside what identifies it among its siblings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitorch.syntax import words
from gitorch.syntax.likeness import key_of
from gitorch.syntax.nodes import Node

_FIRST_TOKENS = 6
_ITEM_NAME = re.compile(rb"""^[\s\-{]*["']?(name|id)["']?\s*([:=])\s*(\S.*?)[,}\s]*$""", re.MULTILINE)


def declarations(node: Node) -> Iterator[bytes]:
    """Yield the names that a node declares and that nothing else in its scope may have."""
    language = node.language
    key = key_of(node) if node.kind in language.units or node.kind in language.exclusive else None
    if key is not None:
        yield _plain(node, key)
    path = language.declares.get(node.kind)
    if path is None or (node.kind in language.bodied and node.by_field("body") is None):
        return
    name = _innermost(node, path)
    if name is not None and name.text != key:
        yield overload(node) or _plain(node, name.text)


def overload(node: Node) -> bytes | None:
    """Return the name of a node with the types that others of this name may differ in; None if none may."""
    path = node.language.overloads.get(node.kind)
    name = _innermost(node, node.language.declares[node.kind]) if path is not None else None
    return None if path is None or name is None else name.text + _types(node, path)


def item_name(node: Node) -> bytes | None:
    """Return the name that an entry of a list gives itself, as in `- name: build`."""
    found = _ITEM_NAME.search(node.text)
    return None if found is None else b"%s%s %s" % (found[1], found[2], found[3])


def catches_all(node: Node) -> bool:
    """Return whether no case after this one is reached."""
    pattern = node.language.catch_alls.get(node.kind)
    first = b" ".join(words.tokens(node.text)[:_FIRST_TOKENS])
    return pattern is not None and re.match(pattern.encode(), first) is not None


def _plain(node: Node, name: bytes) -> bytes:
    """Return a name without the quotes that it does not need, or with one kind of quotes."""
    if len(name) > 2 and name[:1] == name[-1:] and name[:1] in b"\"'":
        return name[1:-1] if node.language.quotes_are_optional else b'"' + name[1:-1] + b'"'
    return name


def _innermost(node: Node, path: str) -> Node | None:
    """Return the node at a path; a field with a star is followed as often as there is one, as in C's declarators."""
    field, star, _ = path.partition("*")
    if not star:
        return node.by_path(path)
    found = node.by_field(field)
    while found is not None and (inner := found.by_field(field)) is not None:
        found = inner
    return found


def _types(node: Node, path: str) -> bytes:
    """Return the types of parameters, without pointers, which make another function of the same name."""
    field, star, last = path.partition("*")
    found = node.by_field(field)
    while star and found is not None and found.by_field(last) is None:
        found = found.by_field(field)
    parameters = found.by_field(last) if star and found is not None else found
    if parameters is None:
        return b""
    types = [part for child in parameters.children if child.named and (part := child.by_field("type")) is not None]
    return b"(" + b", ".join(part.text.lstrip(b"*& ") for part in types) + b")"
