"""How alike two nodes are, and which node of one side is which node of the base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from gitorch.syntax import words
from gitorch.syntax.alignment import align_equal, fill_gaps
from gitorch.syntax.nodes import Node

_SAME_KEY = 0.6
_SAME_KIND = 0.5
_SAME_FIELD = 0.3
_CONTAINED = 0.85
# a smaller statement is contained in many others
_FEWEST_TOKENS = 6
_QUOTES = bytes.maketrans(b"'", b'"')


def key_of(node: Node) -> bytes | None:
    """Return what identifies a node among its siblings, such as the name of a function or the key of an entry."""
    paths = node.language.keys.get(node.kind)
    if paths is None:
        return None
    parts = {path: node.by_path(path.rstrip("?")) for path in paths.split("+")}
    if any(part is None and not path.endswith("?") for path, part in parts.items()):
        return None
    return b" ".join(part.text for part in parts.values() if part is not None)


def is_unit(node: Node) -> bool:
    """Return whether a node is named, and its name is its own in its scope."""
    return node.kind in node.language.units


def same_code(first: Node, second: Node) -> bool:
    """Return whether two nodes differ in layout only."""
    if first.text == second.text:
        return True
    if first.kind != second.kind or _code_tokens(first.text) != _code_tokens(second.text):
        return False
    if not first.children or not second.children:
        return _same_leaf(first, second)
    if len(first.children) != len(second.children):
        return False
    return all(same_code(child, other) for child, other in zip(first.children, second.children, strict=True))


def _same_leaf(first: Node, second: Node) -> bool:
    """Return whether two leaves are equal but for the kind of quotes."""
    texts = [node.text.translate(_QUOTES) for node in (first, second)]
    return texts[0] == texts[1] and texts[0].count(b'"') == 2 and b"\\" not in texts[0]


@lru_cache(maxsize=1024)
def _code_tokens(text: bytes) -> tuple[bytes, ...]:
    """Return the tokens by which code is compared: no commas, one kind of quotes."""
    return tuple(token for token in words.tokens(text.translate(_QUOTES)) if token != b",")


def likeness(base: Node, side: Node, single_fields: frozenset[str] = frozenset()) -> float:
    """Return from 0 (another node) to 1 (the same text); `single_fields` occur once among each one's siblings."""
    if base.text == side.text:
        return 1.0
    if not (base.named and side.named):
        return 0.0
    shared = words.shared(base.text, side.text)
    key, side_key = key_of(base), key_of(side)
    if key is not None and key == side_key:
        return _SAME_KEY + 0.4 * shared
    alike = _by_kind(base, side, shared)
    if key is not None and side_key is not None and (is_unit(base) or is_unit(side)):
        alike = 0.9 * shared if shared >= 0.8 and base.kind == side.kind else 0.0
    if alike == 0.0 and base.field in single_fields and base.field == side.field:
        return _SAME_FIELD
    return alike


def _by_kind(base: Node, side: Node, shared: float) -> float:
    if base.kind != side.kind:
        return 0.0
    if shared >= _SAME_KIND:
        return shared
    long_enough = min(len(words.tokens(base.text)), len(words.tokens(side.text))) >= _FEWEST_TOKENS
    grows = base.kind in base.language.headed or base.kind in base.language.texts or _is_text_statement(base)
    if long_enough and grows and words.contained(base.text, side.text) >= _CONTAINED:
        return _SAME_KIND
    return 0.0


def _is_text_statement(node: Node) -> bool:
    """Return whether a statement is one text only, as a docstring is."""
    return len(node.children) == 1 and node.children[0].kind in node.language.texts


def align_children(base: Sequence[Node], side: Sequence[Node]) -> list[int | None]:
    """Return for each child of the base its partner on a side."""
    partner = align_equal([node.text for node in base], [node.text for node in side])
    single = _single_fields(base) & _single_fields(side)
    return fill_gaps(partner, len(side), lambda i, j: likeness(base[i], side[j], single))


def _single_fields(children: Sequence[Node]) -> frozenset[str]:
    fields = Counter(child.field for child in children if child.field is not None)
    return frozenset(field for field, count in fields.items() if count == 1)
