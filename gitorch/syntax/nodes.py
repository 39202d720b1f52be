"""Nodes of a syntax tree that print back the file byte for byte, opened only when a merge looks inside."""

from __future__ import annotations

from collections.abc import Iterator

from gitorch.syntax.grammar import ParsedNode
from gitorch.syntax.languages import Language

# deeper nodes are leaves: recursion stays far below Python's limit
_DEEPEST = 100
_SEPARATORS = frozenset({b",", b";"})
_LINE_END = frozenset({"\n", "\r\n"})


class Node:
    """A piece of a file: the space before it, its text, and the separator after it.

    Joined, the children's leads, texts and separators, followed by `tail`, are the text.
    """

    __slots__ = ("_children", "_parsed", "_source", "_start", "depth", "field", "kind", "language", "lead", "named",
                 "separator", "tail", "text")  # fmt: skip

    def __init__(self, kind: str, text: bytes, language: Language, *, lead: bytes = b"", field: str | None = None,
                 named: bool = True, depth: int = 0) -> None:  # fmt: skip
        self.kind = kind
        self.text = text
        self.language = language
        self.lead = lead
        self.field = field
        self.named = named
        self.depth = depth
        self.separator = b""
        self.tail = b""
        self._children: list[Node] | None = []
        self._parsed: ParsedNode | None = None
        self._source = b""
        self._start = 0

    @classmethod
    def of_file(cls, source: bytes, root: ParsedNode, language: Language) -> Node:
        """Return the root of a file; what surrounds the grammar's own root belongs to it."""
        node = cls(root.type, source, language)
        node._attach(source, 0, root)
        return node

    def _attach(self, source: bytes, start: int, parsed: ParsedNode) -> None:
        if parsed.child_count and self.kind not in self.language.texts and self.depth < _DEEPEST:
            self._children, self._parsed, self._source, self._start = None, parsed, source, start

    @property
    def children(self) -> list[Node]:
        """The children without separators; empty for a leaf."""
        if self._children is None:
            self._children = self._open()
            self._parsed = None
        return self._children

    def _open(self) -> list[Node]:
        children: list[Node] = []
        end = self._start
        own_end = self._start + len(self.text)
        for parsed, field in _parsed_children(self._parsed):
            # a leaf can have the line end that this node is without, such as the value of a macro in C
            text = self._source[parsed.start_byte : min(parsed.end_byte, own_end)]
            if parsed.is_named and parsed.child_count and parsed.type not in self.language.texts:
                text = text.rstrip()
            lead = self._source[end : parsed.start_byte]
            if _is_separator(parsed, text) and children and (children[-1].named or text == b","):
                children[-1].separator += lead + text
            else:
                children.append(self._child(parsed, field, lead, text, end))
            end = parsed.start_byte + len(text)
        self.tail = self.text[end - self._start :]
        return children

    def _child(self, parsed: ParsedNode, field: str | None, lead: bytes, text: bytes, end: int) -> Node:
        start = parsed.start_byte
        if parsed.type in self.language.inner and parsed.child_count:
            lead, text, start = b"", lead + text, end
        depth = self.depth + 1
        named = parsed.is_named
        child = Node(parsed.type, text, self.language, lead=lead, field=field, named=named, depth=depth)
        child._attach(self._source, start, parsed)
        return child

    def by_field(self, field: str) -> Node | None:
        """Return the child of a field."""
        return next((child for child in self.children if child.field == field), None)

    def by_path(self, path: str) -> Node | None:
        """Return the descendant at a path of fields, such as "definition.name"; a number is the child of that place."""
        node: Node | None = self
        for step in path.split("."):
            if node is None:
                return None
            if step.isdigit():
                node = node.children[int(step)] if int(step) < len(node.children) else None
            else:
                node = node.by_field(step)
        return node

    def descendants(self, limit: int = 4_000) -> Iterator[Node]:
        """Yield the nodes below, each before its own children; at most `limit`."""
        pending = self.children[::-1]
        for _ in range(limit):
            if not pending:
                return
            node = pending.pop()
            yield node
            pending += node.children[::-1]

    def with_indentation(self, old: bytes, new: bytes) -> Node:
        """Return a copy whose lines after the first are indented by `new` in place of `old`; texts stay as they are."""
        copy = Node(self.kind, self.text, self.language, lead=_reindented(self.lead, old, new), field=self.field,
                    named=self.named, depth=self.depth)  # fmt: skip
        copy.separator = self.separator
        if self.children:
            copy._children = [child.with_indentation(old, new) for child in self.children]
            copy.tail = _reindented(self.tail, old, new)
            parts = [child.lead + child.text + child.separator for child in copy._children]
            copy.text = b"".join(parts) + copy.tail
        return copy


def _reindented(space: bytes, old: bytes, new: bytes) -> bytes:
    if b"\n" not in space:
        return space
    head, _, last = space.rpartition(b"\n")
    return head + b"\n" + new + last[len(old) :] if last.startswith(old) else space


def _parsed_children(parsed: ParsedNode) -> Iterator[tuple[ParsedNode, str | None]]:
    """Yield the children that have text, with their fields."""
    cursor = parsed.walk()
    has_next = cursor.goto_first_child()
    while has_next:
        node = cursor.node
        if node.end_byte > node.start_byte:
            yield node, cursor.field_name
        has_next = cursor.goto_next_sibling()


def _is_separator(parsed: ParsedNode, text: bytes) -> bool:
    return not parsed.is_named and (text in _SEPARATORS or parsed.type in _LINE_END)
