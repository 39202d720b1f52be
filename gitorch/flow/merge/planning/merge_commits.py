"""Keep what merge commits of a branch add: a rebase leaves them out, and with them what a person did in them."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer


class MergeCommits:
    """Compares what was reviewed with what a replay gives, for branches whose merge commits add something.

    A merge adds something if its tree is not what git's own merge makes: a person resolved a conflict in it, or edited.
    Merges of more than two parents are compared as well. Clean merges count where the commits in one line make another
    tree.
    """

    def __init__(self, engine: Replayer) -> None:
        self.engine = engine
        self._adding: dict[Oid, bool] = {}

    def keep_changes(self, commits: CommitRange, onto: Oid, replayed: Replayed) -> Replayed | Conflicted:
        """Return a replay whose tree is the reviewed one, merged with `onto`.

        What the replay lacks becomes one more commit, with author and message of the last merge that adds something.
        Returns the conflict if the reviewed tree and `onto` cannot be merged.
        """
        merges = self.engine.merge_commits(commits, onto)
        adding = [oid for oid in merges if self._adds(oid)]
        if not adding and merges and self._loses(commits):
            adding = merges[-1:]
        if not adding:
            return replayed
        expected = merge_reviewed(self.engine, commits, onto)
        if isinstance(expected, Conflicted):
            return msgspec.structs.replace(expected, commit=adding[-1])
        if expected.tree == self.engine.tree(replayed.tip):
            return replayed
        tip = self.engine.rewrite(adding[-1], expected.tree, replayed.tip)
        return msgspec.structs.replace(replayed, tip=tip, pairs=(*replayed.pairs, *((oid, tip) for oid in adding)))

    def replay_main_line(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | Conflicted:
        """Return a replay of the branch's first parents, where a merge commit in it has resolved the conflict.

        A rebase picks the commits of the side branch one by one, and stops although the branch has the result. Here a
        merge commit is one change: from its first parent to what was reviewed. It stands for what it merged. Returns
        the conflict if no merge commit resolves it, if one changes nothing here, or if the main line conflicts, too.
        """
        merges = set(self.engine.merge_commits(commits, onto))
        if not any(map(self._adds, merges)):  # the common case: it starts no process
            return conflict
        line = self._main_line(commits)
        below, tip = commits.base, onto
        pairs: list[tuple[Oid, Oid]] = []
        dropped: list[Oid] = []
        for oid in line:
            excluded = (*commits.excluded, below)
            part = CommitRange(below, oid, excluded)
            step = self._as_one(part, tip) if oid in merges else self.engine.replay(part, tip)
            if step is None or isinstance(step, Conflicted):
                return conflict
            tip = step.tip
            pairs += step.pairs
            dropped += step.dropped
            below = oid
        return Replayed(tip, tuple(pairs), tuple(dropped))

    def _main_line(self, commits: CommitRange) -> list[Oid]:
        """Return the first parents of a branch above its base, the oldest first."""
        without = (f"^{oid}" for oid in (commits.base, *commits.excluded))
        words = ("rev-list", "--reverse", "--first-parent", commits.tip, *without)
        return [Oid(line) for line in self.engine.repository.git(*words).text.splitlines()]

    def _as_one(self, part: CommitRange, tip: Oid) -> Replayed | Conflicted | None:
        """Put what a merge commit changes in its first parent on a commit, as one commit; None if that is nothing."""
        (merge,) = self.engine.repository.commits([part.tip])
        outcome = self.engine.merge_on(merge.parents[0], tip, part.tip)
        if isinstance(outcome, Conflicted):
            return outcome
        own = (*self.engine.own_commits(part, tip), part.tip)
        if outcome.tree == self.engine.tree(tip):
            return None  # nothing would stand for the commits of the side branch
        new = self.engine.rewrite(part.tip, outcome.tree, tip)
        return Replayed(new, tuple((oid, new) for oid in own), ())

    def _loses(self, commits: CommitRange) -> bool:
        """Return whether the commits of a branch, one after the other, do not make what its merges made of them.

        One line of it removes what another one has added again: which of them is last is decided by their order.
        """
        alone = self.engine.replay(CommitRange(commits.base, commits.tip), commits.base)
        return isinstance(alone, Replayed) and self.engine.tree(alone.tip) != self.engine.tree(commits.tip)

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
