"""Rules for the children of a node that both sides changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from gitorch.syntax import moves
from gitorch.syntax.choices import Choices
from gitorch.syntax.likeness import same_code
from gitorch.syntax.nodes import Node
from gitorch.syntax.outcome import Refused, Unresolved
from gitorch.syntax.pieces import Piece, merged_piece, piece_of
from gitorch.syntax.sequences import Lost, Run

_OPENING = frozenset({b"(", b"[", b"{"})
_CLOSING = frozenset({b")", b"]", b"}"})


class ChildUnresolved(Unresolved):
    """A child that the three versions share cannot be merged."""

    def __init__(self, parent: Node, child: Node, reason: str) -> None:
        super().__init__(reason)
        self.parent = parent
        self.child = child


class Merger(Protocol):
    """What the rules need of the merge that they are part of."""

    choices: Choices

    def merge(self, base: Node, ours: Node, theirs: Node) -> bytes: ...

    def scope_name(self) -> str: ...


class ChildRules:
    """Children are merged as trees; insertions at one place are both kept where the kind of node allows it."""

    def __init__(
        self,
        merger: Merger,
        versions: tuple[Node, Node, Node],
        to_ours: Sequence[int | None],
        to_theirs: Sequence[int | None],
    ) -> None:
        self._merger = merger
        self._base, self._ours, self._theirs = versions
        self._language = self._base.language
        if self._base.kind in self._language.parameters:
            self._refuse_changed_order(to_ours, to_theirs)

    def merge(self, base: Node, ours: Node, theirs: Node) -> Piece:
        try:
            return merged_piece(base, ours, theirs, self._merger.merge(base, ours, theirs))
        except Refused:
            raise
        except Unresolved as failure:
            raise ChildUnresolved(self._base, base, str(failure)) from failure

    def same(self, first: Node, second: Node) -> bool:
        return same_code(first, second)

    def keep(self, items: tuple[Node, ...], *, from_ours: bool) -> list[Piece]:
        return [piece_of(item) for item in items]

    def follow(self, lost: list[Lost[Node]], items: tuple[Node, ...], *, from_ours: bool) -> list[Piece] | None:
        """Return an insertion in which the changes that the other side made to moved code are merged."""
        replacements: dict[int, bytes] = {}
        for entry in lost:
            located = moves.locate(entry.base, entry.changed, items)
            if located is None:
                return None
            old, new, target = located
            old = moves.reindented(old, entry.base, target)
            new = moves.reindented(new, entry.changed, target)
            sides = (target, new) if entry.deleted_by_ours else (new, target)
            replacements[id(target)] = self._merger.merge(old, *sides)
        self._merger.choices.note(f"a change follows code that the other side moved{self._in_scope()}")
        return [piece_of(item, moves.replaced(item, replacements)) for item in items]

    def split(self, run: Run[Node]) -> list[Run[Node]]:
        """Return brackets as runs of their own: what the other side inserts there goes inside."""
        first, last = 0, len(run.items)
        while first < last and _is_bracket(run.items[first], _OPENING):
            first += 1
        while first < last and _is_bracket(run.items[last - 1], _CLOSING):
            last -= 1
        parts = ((run.low - 1, run.items[:first]), (run.low, run.items[first:last]), (run.low + 1, run.items[last:]))
        return [Run(position, position, items) for position, items in parts if items]

    def arrange(self, ours: Run[Node], theirs: Run[Node]) -> bool:
        if ours.replaces or theirs.replaces:
            raise Unresolved("one side inserts in the middle of what the other side replaces")
        if self._base.kind in self._language.parameters and _has_required(ours) and _has_required(theirs):
            raise Refused("both sides add a parameter that every caller has to give")
        entries = self._language.words.get(self._base.kind, self._base.kind.replace("_", " "))
        return self._merger.choices.ours_first(f"{entries}{self._in_scope()}")

    def join(self, base: Sequence[Node], ours: Run[Node], theirs: Run[Node]) -> list[Piece]:
        """Return what one side made of code that the other side wrapped, inside the wrapper."""
        in_ours, in_theirs = moves.find_siblings(base, ours.items), moves.find_siblings(base, theirs.items)
        if in_ours and in_theirs:
            raise Refused("both sides wrap the same code")
        if not in_ours and not in_theirs:
            raise Unresolved("both sides replace the same code")
        outer, inner = (ours, theirs) if in_ours else (theirs, ours)
        first, *rest = in_ours or in_theirs
        replacements: dict[int, bytes | None] = {id(node): None for node in rest}
        replacements[id(first)] = _text_of(inner.items, first)
        self._merger.choices.note(
            f"a replacement goes inside what the other side put around the code{self._in_scope()}"
        )
        return [piece_of(item, moves.replaced(item, replacements)) for item in outer.items]

    def without_repeats(self, ours: Run[Node], theirs: Run[Node]) -> Run[Node]:
        new = tuple(item for item in theirs.items if not any(same_code(item, other) for other in ours.items))
        return replace(theirs, items=new)

    def _in_scope(self) -> str:
        scope = self._merger.scope_name()
        return f" {scope}" if scope else ""

    def _refuse_changed_order(self, to_ours: Sequence[int | None], to_theirs: Sequence[int | None]) -> None:
        """Raise `Unresolved` if a side reorders parameters, or changes how those of the base are passed."""
        for side in (self._ours, self._theirs):
            if _changes_order(self._base, side):
                raise Refused("one side changes the order or the passing of parameters that the other side changes")


def _changes_order(base: Node, side: Node) -> bool:
    """Return whether a side moves parameters, or puts a separator before one that was there."""
    old = [_parameter_name(child) for child in base.children]
    new = [_parameter_name(child) for child in side.children]
    common = [name for name in new if name in old]
    if common != [name for name in old if name in common]:
        return True
    for child, name in zip(side.children, new, strict=True):
        if child.kind in side.language.separators_of_parameters and name not in old:
            following = new[new.index(name) + 1 :]
            if any(name in old for name in following if name not in (b")", b"(", b"|")):
                return True
    return False


def _parameter_name(parameter: Node) -> bytes:
    """Return what a parameter is called, or its text where it has no name."""
    for path in ("name", "pattern", "declarator", "0"):
        name = parameter.by_path(path)
        if name is not None:
            return name.text
    return parameter.text


def _has_required(run: Run[Node]) -> bool:
    """Return whether one of the parameters has no default."""
    return any(item.kind in item.language.required and b"=" not in item.text for item in run.items)


def _text_of(items: Sequence[Node], target: Node) -> bytes:
    """Return items as the text that replaces one node, in its indentation."""
    first, *rest = [moves.reindented(item, items[0], target) for item in items]
    text = first.text + (first.separator if rest else b"")
    for item in rest:
        text += item.lead + item.text + (item.separator if item is not rest[-1] else b"")
    return text


def _is_bracket(node: Node, brackets: frozenset[bytes]) -> bool:
    return not node.named and node.text in brackets
