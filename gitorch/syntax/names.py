"""Names of a file: those that other files can use, and those that it uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gitorch.syntax.grammar import parse
from gitorch.syntax.languages import Language, language_of
from gitorch.syntax.likeness import key_of
from gitorch.syntax.nodes import Node

_NAME = re.compile(rb"[^\W\d]\w{2,}")
"""Shorter names are everywhere: that two files have one says nothing."""


def has_names(path: str) -> bool:
    """Return whether a file is in a language whose definitions are known."""
    language = language_of(path)
    return language is not None and bool(language.units)


def count_names(content: bytes) -> Counter[str]:
    """Return how often each word that could be a name is in a file, whatever it means there; needs no grammar."""
    return Counter({name.decode(): count for name, count in Counter(_NAME.findall(content)).items()})


def public_names(path: str, content: bytes) -> frozenset[str]:
    """Return the names of functions, classes and members that other files can use; none without a grammar."""
    root = _root(path, content)
    return frozenset(_public(root)) if root is not None else frozenset()


def used_names(path: str, content: bytes) -> frozenset[str]:
    """Return the names in the code of a file, without comments and strings; none without a grammar."""
    root = _root(path, content)
    return frozenset(_leaves(root)) if root is not None else frozenset()


def _root(path: str, content: bytes) -> Node | None:
    language = language_of(path)
    parsed = parse(content, language) if language is not None else None
    return Node.of_file(content, parsed, language) if parsed is not None and language is not None else None


def _public(root: Node) -> Iterator[str]:
    """Yield the names of units, also of those inside of classes, and not of those inside of functions."""
    pending = [root]
    while pending:
        node = pending.pop()
        name = _name_of(node) if node.kind in node.language.units else None
        if name is not None and _NAME.fullmatch(name) and not name.startswith(b"_"):
            yield name.decode("utf-8", "replace")
        if not _is_function(node, node.language):
            pending += node.children


def _name_of(node: Node) -> bytes | None:
    """Return the name of a unit; what identifies it among its siblings may be more, such as its parameters."""
    name = node.by_path("name")
    return name.text if name is not None else key_of(node)


def _is_function(node: Node, language: Language) -> bool:
    return node.kind in language.functions


def _leaves(root: Node) -> Iterator[str]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.children:
            pending += node.children
        elif node.named and node.kind not in node.language.texts and _NAME.fullmatch(node.text):
            yield node.text.decode("utf-8", "replace")
