"""Changes that a target has already: a replay drops the commits that would make them again."""

from __future__ import annotations

from gitorch.model.naming import Oid
from gitorch.replay.history import History, Pick
from gitorch.replay.new_commits import NewCommits
from gitorch.replay.patches import Outline, Patches, outline
from gitorch.replay.values import CommitRange


class PresentChanges:
    """Compares commits with those below a target by their patches, as `git rebase` does."""

    def __init__(self, history: History, commits: NewCommits, patches: Patches) -> None:
        self._history = history
        self._commits = commits
        self._patches = patches
        self._earlier: tuple[Oid, dict[Outline, list[Pick]]] | None = None

    def include(self, pick: Pick, commits: CommitRange, onto: Oid) -> bool:
        """Return whether a commit that `onto` has and the branch has not makes the same change as a pick.

        What the branch itself does twice (add, remove, add again) is done twice.
        """
        chain = self._commits.chain(onto)
        if self._history.is_stack(commits, chain.real):
            return False
        key = outline(pick.changes)
        if any(self._patches.are_same(pick.changes, changes) for changes in chain.changes.get(key, ())):
            return True
        candidates = self._picks_by_outline(chain.real).get(key, ())
        if not candidates:
            return False
        on_branch = self._history.reachable(commits.tip)
        upstream = (candidate for candidate in candidates if candidate.oid not in on_branch)
        return any(self._patches.are_same(pick.changes, other.changes) for other in upstream)

    def _picks_by_outline(self, real: Oid) -> dict[Outline, list[Pick]]:
        """Return the commits below a commit that were read, by the outline of what they change."""
        if self._earlier is None or self._earlier[0] != real:
            by_outline: dict[Outline, list[Pick]] = {}
            for oid in self._history.ancestors(real):
                pick = self._history.pick(oid)
                if pick.changes:
                    by_outline.setdefault(outline(pick.changes), []).append(pick)
            self._earlier = (real, by_outline)
        return self._earlier[1]
