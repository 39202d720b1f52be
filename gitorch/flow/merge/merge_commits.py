"""Keep what merge commits of a branch add: a rebase leaves them out, and with them what a person did in them."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer


class MergeCommits:
    """Compares what was reviewed with what a replay gives, for branches whose merge commits add something.

    A merge adds something if its tree is not what git's own merge makes: a person resolved a conflict in it, or edited.
    Merges of more than two parents are compared as well.
    """

    def __init__(self, engine: Replayer) -> None:
        self.engine = engine
        self._adding: dict[Oid, bool] = {}

    def keep_changes(self, commits: CommitRange, onto: Oid, replayed: Replayed) -> Replayed | Conflicted:
        """Return a replay whose tree is the reviewed one, merged with `onto`.

        What the replay lacks becomes one more commit, with author and message of the last merge that adds something.
        Returns the conflict if the reviewed tree and `onto` cannot be merged.
        """
        adding = [oid for oid in self.engine.merge_commits(commits, onto) if self._adds(oid)]
        if not adding:
            return replayed
        expected = merge_reviewed(self.engine, commits, onto)
        if isinstance(expected, Conflicted):
            return msgspec.structs.replace(expected, commit=adding[-1])
        if expected.tree == self.engine.tree(replayed.tip):
            return replayed
        tip = self.engine.rewrite(adding[-1], expected.tree, replayed.tip)
        return msgspec.structs.replace(replayed, tip=tip, pairs=(*replayed.pairs, *((oid, tip) for oid in adding)))

    def _adds(self, commit: Oid) -> bool:
        """Return whether a merge commit's tree is not what git's own merge of its parents makes."""
        if commit not in self._adding:
            (merge,) = self.engine.repository.commits([commit])
            outcome = self.engine.merge(*merge.parents) if len(merge.parents) == 2 else None
            self._adding[commit] = not isinstance(outcome, Merged) or outcome.tree != self.engine.tree(commit)
        return self._adding[commit]


def merge_reviewed(engine: Replayer, commits: CommitRange, onto: Oid) -> Merged | Conflicted:
    """Merge the reviewed tip with `onto`: by their own history, or on the branch's base if that is not below."""
    if engine.is_stack(commits, onto):
        return engine.merge_on(commits.base, onto, commits.tip)
    return engine.merge(onto, commits.tip)
