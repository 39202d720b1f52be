"""Three-way merge of syntax trees."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.syntax import moves
from gitorch.syntax.child_rules import ChildRules, ChildUnresolved
from gitorch.syntax.choices import Choices
from gitorch.syntax.likeness import align_children, is_unit, key_of, likeness, same_code
from gitorch.syntax.literals import mixes_one_value
from gitorch.syntax.nodes import Node
from gitorch.syntax.outcome import Refused, Unresolved
from gitorch.syntax.pieces import Piece, each_once, join_pieces
from gitorch.syntax.scopes import imported_by_both
from gitorch.syntax.sequences import merge_sequences
from gitorch.syntax.texts import merge_text

# a pair that cannot be merged and is less alike than this may be two different nodes
_SURE_PAIR = 0.93
_RETRIES = 4
# operators whose operands may be added by both sides
_CHAINS = frozenset({b"or", b"and", b"||", b"&&"})
# work is counted in nodes, and in hundreds of bytes of their text
_MOST_WORK = 30_000

Partners = Sequence[int | None]


class TreeMerger:
    """One merge of one file; its choices say in which order insertions go."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self._work = 0
        self._scope: list[str] = []

    def merge(self, base: Node, ours: Node, theirs: Node) -> bytes:
        """Return the text of a node with the changes of both sides; raise `Unresolved` if they exclude each other."""
        if theirs.text == base.text:
            return ours.text
        if ours.text in (base.text, theirs.text):
            return theirs.text
        self._count_work(base)
        if same_code(ours, theirs):
            return ours.text
        for side, changed in ((ours, theirs), (theirs, ours)):
            if same_code(base, side):
                return self._merge_layout(base, ours, theirs, changed)
        if base.kind in base.language.texts and base.kind == ours.kind == theirs.kind:
            prose = base.kind in base.language.comments
            return merge_text(base.text, ours.text, theirs.text, self.choices, prose=prose)
        wrapped = self._merge_wrapped(base, ours, theirs)
        if wrapped is not None:
            return wrapped
        if base.kind == ours.kind == theirs.kind and base.children and ours.children and theirs.children:
            return self._merge_children(base, ours, theirs)
        return self._merge_unwrapped(base, ours, theirs)

    def _merge_layout(self, base: Node, ours: Node, theirs: Node, changed: Node) -> bytes:
        """Return the changed code, in the new layout of the other side where it did not change."""
        if not (base.kind == changed.kind and base.children and changed.children):
            return changed.text
        mark = self.choices.mark()
        try:
            return self._merge_children(base, ours, theirs)
        except Refused:
            raise
        except Unresolved:
            self.choices.reset(mark)
            return changed.text

    def scope_name(self) -> str:
        """Return the place that is being merged, for the evidence."""
        return f"in {'.'.join(self._scope)}" if self._scope else ""

    def _count_work(self, base: Node) -> None:
        self._work += 1 + len(base.text) // 100
        if self._work > _MOST_WORK:
            raise Refused("too many changes for a merge by structure")

    def _merge_wrapped(self, base: Node, ours: Node, theirs: Node) -> bytes | None:
        """Return the wrapper that one side put around a node, with the other side's change inside."""
        in_ours, in_theirs = moves.wraps(ours, base), moves.wraps(theirs, base)
        if in_ours is not None and in_theirs is not None:
            return self._merge_chain(ours, in_ours, theirs, in_theirs)
        outer, inner, changed = (ours, in_ours, theirs) if in_ours is not None else (theirs, in_theirs, ours)
        if inner is None:
            return None
        return moves.replaced(outer, {id(inner): moves.reindented(changed, base, inner).text})

    def _merge_chain(self, ours: Node, in_ours: Node, theirs: Node, in_theirs: Node) -> bytes:
        """Return `a or b or c` of `a or b` and `a or c`, both of which were `a`; other wrappers have no order."""
        operators = [side.children[1].text if len(side.children) == 3 else b"" for side in (ours, theirs)]
        is_first = ours.children[:1] == [in_ours] and theirs.children[:1] == [in_theirs]
        if not is_first or operators[0] != operators[1] or operators[0] not in _CHAINS:
            raise Refused("both sides wrap the same code")
        first, second = (
            (ours, theirs) if self.choices.ours_first(f"operands {self.scope_name()}".strip()) else (theirs, ours)
        )
        return first.text + b"".join(child.lead + child.text for child in second.children[1:])

    def _merge_unwrapped(self, base: Node, ours: Node, theirs: Node) -> bytes:
        """Merge inside a wrapper that one side added around a node that it changed too."""
        for outer, other, outer_is_ours in ((ours, theirs, True), (theirs, ours, False)):
            if outer.kind == base.kind or other.kind != base.kind:
                continue
            inner = moves.unwrapped(base, outer, lambda child: likeness(base, child) >= _SURE_PAIR)
            if inner is not None:
                sides = (inner, other) if outer_is_ours else (other, inner)
                return moves.replaced(outer, {id(inner): self.merge(base, *sides)})
        raise Unresolved("both sides replace the same code")

    def _merge_children(self, base: Node, ours: Node, theirs: Node) -> bytes:
        if moves.swaps_branches(base, ours) or moves.swaps_branches(base, theirs):
            raise Refused("one side swaps the branches of a condition")
        if mixes_one_value(base, ours, theirs):
            raise Refused("both sides change one value")
        name = key_of(base) if is_unit(base) and base.kind != "decorated_definition" else None
        if name is not None:
            self._scope.append(name.decode("utf-8", "replace"))
        try:
            to_ours = align_children(base.children, ours.children)
            to_theirs = align_children(base.children, theirs.children)
            pieces = self._merge_aligned((base, ours, theirs), to_ours, to_theirs, _RETRIES)
        finally:
            if name is not None:
                self._scope.pop()
        once = each_once(pieces, imported_by_both(base, ours, theirs))
        if len(once) < len(pieces):
            self.choices.note(f"what both sides import is there once {self.scope_name()}".strip())
        return join_pieces(once, (base, ours, theirs))

    def _merge_aligned(
        self, versions: tuple[Node, Node, Node], to_ours: Partners, to_theirs: Partners, retries: int
    ) -> list[Piece]:
        """Merge children; where a pair cannot be merged, try again with the pair taken apart."""
        base, ours, theirs = versions
        rules = ChildRules(self, versions, to_ours, to_theirs)
        mark = self.choices.mark()
        try:
            pieces: list[Piece] = merge_sequences(
                base.children, ours.children, theirs.children, to_ours, to_theirs, rules
            )
            return pieces
        except ChildUnresolved as failure:
            if failure.parent is not base or not retries:
                raise
            for partners in self._taken_apart(versions, to_ours, to_theirs, failure.child):
                self.choices.reset(mark)
                try:
                    return self._merge_aligned(versions, *partners, retries - 1)
                except Refused:
                    raise
                except Unresolved:
                    continue
            raise

    def _taken_apart(
        self, versions: tuple[Node, Node, Node], to_ours: Partners, to_theirs: Partners, child: Node
    ) -> list[tuple[Partners, Partners]]:
        """Return alignments without an unsure pair: of the less alike side, of the other, of both."""
        base, ours, theirs = versions
        index = base.children.index(child)
        in_ours, in_theirs = to_ours[index], to_theirs[index]
        if is_unit(child) or not child.named or in_ours is None or in_theirs is None:
            return []
        by_ours, by_theirs = likeness(child, ours.children[in_ours]), likeness(child, theirs.children[in_theirs])
        without_ours, without_theirs = _without(to_ours, index), _without(to_theirs, index)
        options: list[tuple[float, tuple[Partners, Partners]]] = []
        if by_ours < _SURE_PAIR:
            options.append((by_ours, (without_ours, to_theirs)))
        if by_theirs < _SURE_PAIR:
            options.append((by_theirs, (to_ours, without_theirs)))
        options.sort(key=lambda option: option[0])
        apart = [partners for _, partners in options]
        return [*apart, (without_ours, without_theirs)] if len(apart) == 2 else apart


def _without(partners: Partners, index: int) -> Partners:
    return [None if i == index else partner for i, partner in enumerate(partners)]
