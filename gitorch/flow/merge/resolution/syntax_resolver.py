"""Resolve conflicts by syntax, without a model: several proposals for each file, of which the checks choose.

The merge itself is the package `gitorch.syntax`: `tree_merge` for languages with a grammar, `lines` for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from gitorch import syntax
from gitorch.flow.merge.resolution.remembered import ReadBlob, Sides
from gitorch.flow.merge.resolution.resolver import ConflictFile, Proposal, Resolver
from gitorch.model.naming import Oid

if TYPE_CHECKING:
    from gitorch.syntax.outcome import SyntaxProposal

MAX_PROPOSALS = 6
"""How many proposals are made for one file; most right ones are the first or the second."""

StoreBlob = Callable[[bytes], Oid]
"""Stores a blob in the repository."""


class ProposeSyntax(Protocol):
    """Returns merges of three versions of a file, the likeliest first."""

    def __call__(
        self, path: str, base: bytes | None, ours: bytes, theirs: bytes, *, limit: int
    ) -> list[SyntaxProposal]: ...


class SyntaxResolver:
    """Proposes merges by syntactic unit, or by lines where nothing is known of the language.

    `read` returns the content of a blob, also of one that exists only in memory; `store` stores a proposal.
    """

    def __init__(self, read: ReadBlob, store: StoreBlob, propose: ProposeSyntax | None = None) -> None:
        self._read = read
        self._store = store
        self._propose = propose
        self._proposals: dict[tuple[str, Sides], list[Proposal]] = {}

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        """Return the admissible merges of each file, the likeliest first."""
        by_path = {file.path: self._proposals_for(file.path, file.sides) for file in files}
        return {path: proposals for path, proposals in by_path.items() if proposals}

    def _proposals_for(self, path: str, sides: Sides) -> list[Proposal]:
        if (path, sides) not in self._proposals:
            self._proposals[path, sides] = [
                Proposal(self._store(merge.content), merge.kind, details=merge.evidence)
                for merge in self._merges(path, sides)
            ]
        return self._proposals[path, sides]

    def _merges(self, path: str, sides: Sides) -> list[SyntaxProposal]:
        base = self._read(sides.base) if sides.base else None
        ours, theirs = self._read(sides.ours), self._read(sides.theirs)
        if ours is None or theirs is None or (sides.base and base is None):
            return []
        propose = self._propose or syntax.proposals.propose
        return propose(path, base, ours, theirs, limit=MAX_PROPOSALS)


class ChosenProposals:
    """Proposes one of the proposals of a resolver for each path: the first, unless `choices` names another by position.

    `counts` are the numbers of proposals of the paths that it was asked for.
    """

    def __init__(self, resolver: Resolver, choices: Mapping[str, int] | None = None) -> None:
        self._resolver = resolver
        self._choices = choices or {}
        self.counts: dict[str, int] = {}

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        """Return the chosen proposal of each file that has one."""
        proposals = self._resolver.propose(files)
        self.counts |= {path: max(len(options), self.counts.get(path, 0)) for path, options in proposals.items()}
        return {path: [options[self._position(path, len(options))]] for path, options in proposals.items() if options}

    def _position(self, path: str, count: int) -> int:
        return min(self._choices.get(path, 0), count - 1)


def alternatives(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Return the choices to try, the likeliest first: linear in the number of proposals, whatever their combinations.

    All first ones, all second ones (the other order of insertions), then one path changed at a time.
    """
    several = {path: count for path, count in counts.items() if count > 1}
    choices: list[dict[str, int]] = [{}]
    if several:
        choices.append(dict.fromkeys(several, 1))
    single = (
        {path: position}
        for position in range(1, max(several.values(), default=0))
        for path, count in several.items()
        if position < count
    )
    return [*choices, *(choice for choice in single if choice not in choices)]
