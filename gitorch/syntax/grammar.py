"""Parsers of tree-sitter, imported when a file in their language has a conflict.

The grammars are the extra `gitorch[resolve]`. They are looked up by name because they are optional: importing
tree_sitter takes 15 ms, which no command without a conflict pays.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from gitorch.syntax.languages import Language

# a node of tree_sitter; the package is optional, so its types are not
ParsedNode = Any


def parse(source: bytes, language: Language) -> ParsedNode | None:
    """Return the root of the syntax tree; None if the grammar is not installed."""
    parser = _parser(language.grammar, language.function)
    return None if parser is None else parser.parse(source).root_node


@cache
def _parser(grammar: str, function: str) -> Any | None:
    try:
        tree_sitter, module = import_module("tree_sitter"), import_module(grammar)
    except ModuleNotFoundError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, function)()))


def count_errors(root: ParsedNode) -> int:
    """Return how many parts of a source do not parse: error nodes and missing tokens."""
    errors = 0
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        errors += node.is_error or node.is_missing
        pending += [child for child in node.children if child.has_error or child.is_missing]
    return errors
