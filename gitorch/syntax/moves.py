"""Code that one side moved or wrapped: where it went, and how the other side's change follows it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gitorch.syntax import words
from gitorch.syntax.likeness import key_of, likeness, same_code
from gitorch.syntax.nodes import Node

# from this likeness on, changed code in another place is the moved code
_SAME = 0.8
_BRACKETS = (b"(", b"[", b"{")


def swaps_branches(before: Node, after: Node) -> bool:
    """Return whether a conditional's first branch is what another branch was before: its condition is another one."""
    first, old_first = after.by_field("consequence"), before.by_field("consequence")
    if first is None or old_first is None or same_code(first, old_first):
        return False
    others = (child for child in before.children if child.field == "alternative")
    return any(same_code(first, body) for other in others for body in (other, *other.children))


def indentation(node: Node) -> bytes:
    """Return the indentation of a node that begins a line; empty if it does not."""
    return node.lead.rpartition(b"\n")[2] if b"\n" in node.lead else b""


def reindented(node: Node, old: Node, new: Node) -> Node:
    """Return a node that is indented like `old` as it would be in place of `new`."""
    before, after = indentation(old), indentation(new)
    return node if before == after or b"\n" not in new.lead else node.with_indentation(before, after)


def find_equal(base: Node, items: Sequence[Node]) -> Node | None:
    """Return the only node in inserted items that is this code, unchanged."""
    same_kind = (node for node in _nodes(items, len(base.text) // 2) if node.kind == base.kind)
    return _only([node for node in same_kind if same_code(base, node)])


def find_changed(base: Node, items: Sequence[Node]) -> Node | None:
    """Return the only node in inserted items that is this code with a small change."""
    alike = [
        (likeness(base, node), node)
        for node in _nodes(items, len(base.text) // 2)
        if node.kind == base.kind and words.shared(base.text, node.text) >= _SAME - 0.2
    ]
    best = max((degree for degree, _ in alike), default=0.0)
    return _only([node for degree, node in alike if degree == best]) if best >= _SAME else None


def _nodes(items: Sequence[Node], smallest: int = 0) -> list[Node]:
    """Return the items and the nodes in them whose text is not smaller; each before its own children."""
    nodes: list[Node] = []
    pending = list(items[::-1])
    while pending:
        node = pending.pop()
        if len(node.text) >= smallest:
            nodes.append(node)
            pending += node.children[::-1]
    return nodes


def _only(nodes: list[Node]) -> Node | None:
    """Return the only node; None if there are several, other than a node and its only child."""
    if not nodes:
        return None
    outermost, *rest = nodes
    return outermost if all(node.text is outermost.text or (node.text == outermost.text and _is_inside(node, outermost))
                            for node in rest) else None  # fmt: skip


def _is_inside(node: Node, outer: Node) -> bool:
    return any(child is node for child in outer.descendants())


def _narrowed(base: Node, changed: Node) -> tuple[Node, Node] | None:
    """Return the only child that differs, in both versions; None if more than one does."""
    if base.kind != changed.kind or len(base.children) != len(changed.children):
        return None
    pairs = zip(base.children, changed.children, strict=True)
    differing = [(old, new) for old, new in pairs if not same_code(old, new)]
    return differing[0] if len(differing) == 1 and differing[0][0].named else None


def locate(base: Node, changed: Node, items: Sequence[Node]) -> tuple[Node, Node, Node] | None:
    """Return the part of a changed node that stands in inserted items: as it was, as it is changed, and there."""
    pair: tuple[Node, Node] | None = (base, changed)
    while pair is not None:
        old, new = pair
        if not old.text.startswith(_BRACKETS):
            target = find_equal(old, items) or find_changed(old, items)
            if target is not None:
                return old, new, target
        pair = _narrowed(old, new)
    return None


def find_siblings(base: Sequence[Node], items: Sequence[Node]) -> list[Node]:
    """Return the only neighbouring nodes in inserted items that are this code; empty if there are none."""
    count = len(base)
    rows = [list(items), *(node.children for node in _nodes(items))]
    runs = [row[i : i + count] for row in rows for i in range(len(row) - count + 1)]
    equal = [run for run in runs if _equal_run(base, run)]
    return equal[0] if len(equal) == 1 else []


def _equal_run(base: Sequence[Node], run: Sequence[Node]) -> bool:
    return all(old.kind == new.kind and same_code(old, new) for old, new in zip(base, run, strict=True))


def wraps(outer: Node, inner: Node) -> Node | None:
    """Return the node inside `outer` that is `inner`, unchanged, if there is exactly one."""
    if inner.depth == 0 or inner.kind in inner.language.blocks or inner.text.startswith(_BRACKETS):
        return None
    if words.contained(inner.text, outer.text) < 1:
        return None
    return find_equal(inner, outer.children)


def unwrapped(base: Node, side: Node, accept: Callable[[Node], bool]) -> Node | None:
    """Return the child of a wrapper, such as a decorated definition, that is the base's node."""
    for child in side.children:
        if child.kind == base.kind and (key_of(child) == key_of(base) is not None or accept(child)):
            return child
    return None


def replaced(node: Node, replacements: Mapping[int, bytes | None]) -> bytes:
    """Return the text of a node in which descendants, by id, have another text, or are missing."""
    if id(node) in replacements:
        return replacements[id(node)] or b""
    if not node.children:
        return node.text
    parts = [
        child.lead + replaced(child, replacements) + child.separator
        for child in node.children
        if replacements.get(id(child), b"") is not None
    ]
    return b"".join(parts) + node.tail
