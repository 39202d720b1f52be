"""Commits that reached the base as one: a host that squashes a branch leaves no commit with the patch of the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from gitorch.flow.merge.merge_commits import merge_reviewed
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer

_MAX_COMMITS = 30
"""Longer branches are not searched for the part that was squashed."""
_MAX_UPSTREAM = 500
"""How many commits of the base are compared, the newest first."""


class SquashedUpstream:
    """Finds the first commits of a branch that the base has as one commit, and replays the others."""

    def __init__(self, engine: Replayer) -> None:
        self.engine = engine
        self.repository = engine.repository
        self._base_tip: Oid | None = None
        self._patch_ids: dict[tuple[Oid, Oid], frozenset[str]] = {}

    def expect(self, onto: Oid) -> None:
        """Remember the commit of the repository on which branches will be replayed."""
        self._base_tip = onto

    def skip(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | Conflicted:
        """Return the replay of a branch in conflict without the commits that the base has; else the conflict.

        Only a base that moved on since the branch started can have them, and a single commit is compared by the replay
        itself: in the common case, this costs nothing.
        """
        base_tip = self._base_tip
        # without `expect`, `onto` can be a commit that exists in memory only, which git cannot list
        if base_tip is None or commits.base == base_tip or not self._upstream(commits.base, base_tip):
            return conflict
        line = self._own_line(commits, base_tip)
        for count in range(len(line), 1, -1):
            part = CommitRange(commits.base, line[count - 1], commits.excluded)
            if is_landed(self.engine, part, onto, self._upstream(commits.base, base_tip)):
                rest = CommitRange(line[count - 1], commits.tip, (*commits.excluded, commits.base))
                replayed = self.engine.replay(rest, onto)
                if isinstance(replayed, Conflicted):
                    return replayed
                return Replayed(replayed.tip, replayed.pairs, (*line[:count], *replayed.dropped), replayed.resolved)
        return conflict

    def _own_line(self, commits: CommitRange, base_tip: Oid) -> list[Oid]:
        """Return a branch's own commits, oldest first; none if it is short, long, or not a plain line."""
        without = (f"^{oid}" for oid in (commits.base, base_tip, *commits.excluded))
        words = ("rev-list", "--reverse", "--topo-order", "--parents", f"--max-count={_MAX_COMMITS + 1}")
        lines = [line.split() for line in self.repository.git(*words, commits.tip, *without).text.splitlines()]
        is_line = all(len(line) == 2 for line in lines)
        is_chain = all(later[1] == earlier[0] for earlier, later in itertools.pairwise(lines))
        return [Oid(line[0]) for line in lines] if is_line and is_chain and 1 < len(lines) <= _MAX_COMMITS else []

    def _upstream(self, base: Oid, base_tip: Oid) -> frozenset[str]:
        """Return the patch ids of what the base got since a branch started."""
        if (base, base_tip) not in self._patch_ids:
            self._patch_ids[base, base_tip] = upstream_patch_ids(self.repository, base, base_tip)
        return self._patch_ids[base, base_tip]


def is_landed(engine: Replayer, part: CommitRange, onto: Oid, upstream: frozenset[str]) -> bool:
    """Return whether `onto` has the changes of these commits: as one patch, or because merging them changes nothing."""
    if patch_ids(engine.repository, [(part.base, part.tip)]) & upstream:
        return True
    merged = merge_reviewed(engine, part, onto)
    return isinstance(merged, Merged) and merged.tree == engine.tree(onto)


def upstream_patch_ids(repository: Repository, base: Oid, tip: Oid) -> frozenset[str]:
    """Return the patch ids of the commits between two commits."""
    words = ("rev-list", "--no-merges", "--parents", f"--max-count={_MAX_UPSTREAM}", tip, f"^{base}")
    lines = (line.split() for line in repository.git(*words).text.splitlines())
    return patch_ids(repository, [(Oid(line[1]), Oid(line[0])) for line in lines if len(line) > 1])


def patch_ids(repository: Repository, pairs: Iterable[tuple[Oid, Oid]]) -> frozenset[str]:
    """Return the patch ids of the changes between pairs of commits; none for a change of nothing."""
    names = [f"{oid}^{{tree}}" for pair in pairs for oid in pair]
    if not names:
        return frozenset()
    trees = repository.object_ids(*names)
    listing = "".join(f"{old} {new}\n" for old, new in zip(trees[::2], trees[1::2], strict=True))
    options = ("--stdin", "-p", "-r", "--no-renames", "--no-textconv", "--no-ext-diff", "--full-index")
    patches = repository.git("diff-tree", *options, input=listing.encode()).stdout
    lines = repository.git("patch-id", "--stable", input=patches).text.splitlines()
    return frozenset(line.split()[0] for line in lines)
