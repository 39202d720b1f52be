"""Two names for the same value.

Both sides turn `return X` into `name = X; ...; return name`, each with a name of its own. Nothing else tells that it is
the same value. So the base, and a side that still returns it directly, are read as if they had the name as well; where
the names differ, theirs takes the name of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.syntax import moves, words
from gitorch.syntax.nodes import Node
from gitorch.syntax.scopes import functions_of, names_of

_SAME_VALUE = 0.5
# fields of a name that is no variable: of an attribute, of a keyword argument
_NOT_VARIABLES = frozenset({"attribute", "name"})

Sources = tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Unified:
    """The three sources as they are merged, and sentences on what was unified."""

    sources: Sources
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Hoist:
    """A value that a side gives a name: the statement of the base that returns it, and the name."""

    returned: Node
    name: bytes


def with_names_unified(roots: tuple[Node, Node, Node]) -> Unified | None:
    """Return the versions with one name for each value that a side hoisted out of a `return`; None if none did."""
    functions = [dict(functions_of(root, frozenset())) for root in roots]
    replacements: tuple[dict[int, bytes | None], ...] = ({}, {}, {})
    evidence: list[str] = []
    for path, base in functions[0].items():
        ours, theirs = functions[1].get(path), functions[2].get(path)
        if ours is None or theirs is None or base.text in (ours.text, theirs.text):
            continue
        sentence = _unify(base, ours, theirs, replacements)
        if sentence:
            evidence.append(f"{sentence} in {path.rpartition('/')[2]}")
    if not evidence:
        return None
    base_source, our_source, their_source = (
        moves.replaced(root, edits) for root, edits in zip(roots, replacements, strict=True)
    )
    return Unified((base_source, our_source, their_source), tuple(evidence))


def _unify(base: Node, ours: Node, theirs: Node, replacements: tuple[dict[int, bytes | None], ...]) -> str | None:
    """Add the edits for one function; return what was unified."""
    by_ours, by_theirs = _hoist(base, ours), _hoist(base, theirs)
    hoist = by_ours or by_theirs
    if hoist is None or (by_ours and by_theirs and by_ours.returned is not by_theirs.returned):
        return None
    in_base, in_ours, in_theirs = replacements
    if by_theirs is None and not _hoist_return(theirs, hoist, in_theirs):
        return None
    if by_ours is None and not _hoist_return(ours, hoist, in_ours):
        return None
    in_base[id(hoist.returned)] = _hoisted(hoist.returned, hoist.name)
    name = hoist.name.decode("utf-8", "replace")
    if by_ours is None or by_theirs is None:
        return f"the value that one side names “{name}” is the one that the other side returns"
    if by_ours.name == by_theirs.name:
        return f"both sides name the same value “{name}”"
    if by_ours.name in names_of(theirs) or by_theirs.name in names_of(ours):
        return None
    for node in theirs.descendants():
        is_variable = not node.children and node.kind == "identifier" and node.field not in _NOT_VARIABLES
        if is_variable and node.text == by_theirs.name:
            in_theirs[id(node)] = by_ours.name
    return f"“{by_theirs.name.decode('utf-8', 'replace')}” is renamed to “{name}”: both sides name the same value"


def _hoist(base: Node, side: Node) -> _Hoist | None:
    """Return the value that a side newly names in place of returning it, the likeliest one."""
    names: set[bytes] = names_of(base)
    hoists: list[tuple[float, _Hoist]] = []
    for returned in _returns(base):
        value = returned.children[1]
        if any(node.text == returned.text for node in _returns(side)):
            continue
        for node in side.descendants():
            left, right = node.by_field("left"), node.by_field("right")
            if left is None or right is None or left.children or left.text in names or right.kind != value.kind:
                continue
            returned_by_name = any(node.children[1].text.startswith(left.text) for node in _returns(side))
            alike = words.shared(value.text, right.text)
            if returned_by_name and alike >= _SAME_VALUE:
                hoists.append((alike, _Hoist(returned, left.text)))
    return max(hoists, key=lambda hoist: hoist[0])[1] if hoists else None


def _hoist_return(side: Node, hoist: _Hoist, edits: dict[int, bytes | None]) -> bool:
    """Give the returned value its name where a side returns it directly; return whether the side does."""
    value = hoist.returned.children[1]
    alike = [
        node
        for node in _returns(side)
        if node.children[1].kind == value.kind and words.shared(node.children[1].text, value.text) >= _SAME_VALUE
    ]
    if len(alike) != 1 or hoist.name in names_of(side):
        return False
    edits[id(alike[0])] = _hoisted(alike[0], hoist.name)
    return True


def _hoisted(returned: Node, name: bytes) -> bytes:
    indentation = moves.indentation(returned)
    line_end = b"\r\n" if b"\r\n" in returned.lead else b"\n"
    return name + b" = " + returned.children[1].text + line_end + indentation + b"return " + name


def _returns(function: Node) -> list[Node]:
    """Return the statements of a function that return a value and begin a line."""
    return [
        node
        for node in function.descendants()
        if node.kind == "return_statement" and len(node.children) == 2 and b"\n" in node.lead
    ]
