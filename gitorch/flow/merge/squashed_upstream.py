"""Commits that reached the base as one: a host that squashes a branch leaves no commit with the patch of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gitorch.flow.merge.merge_commits import merge_reviewed
from gitorch.git.changes import Span, changed_paths
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer

_MAX_COMMITS = 30
"""Longer branches are not searched for the part that was squashed."""
_MAX_UPSTREAM = 500
"""How many commits of the base are compared, the newest first."""


class Upstream(msgspec.Struct, frozen=True):
    """What the base got since a branch started: the patch ids of its commits, and which paths each of them changes."""

    patch_ids: frozenset[str]
    paths: tuple[frozenset[str], ...]


class SquashedUpstream:
    """Finds the first commits of a branch that the base has as one commit, and replays the others."""

    def __init__(self, engine: Replayer) -> None:
        self.engine = engine
        self.repository = engine.repository
        self._lines = OwnLines(engine.repository)
        self._base_tip: Oid | None = None
        self._upstreams: dict[tuple[Oid, Oid], Upstream] = {}
        self._modified: dict[tuple[Oid, Oid], tuple[tuple[str, bytes], ...]] = {}

    def expect(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Remember the branches, and the commit of the repository on which they will be replayed."""
        self._base_tip = onto
        self._lines.expect((commits.tip for commits in ranges), onto)

    def skip(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | Conflicted:
        """Return the replay of a branch in conflict without the commits that the base has; else the conflict.

        Only a base that moved on since the branch started can have them, and a single commit is compared by the replay
        itself: in the common case, this costs nothing.
        """
        base_tip = self._base_tip
        # without `expect`, `onto` can be a commit that exists in memory only, which git cannot list
        if base_tip is None or commits.base == base_tip:
            return conflict
        upstream = self._upstream(commits.base, base_tip)
        if not upstream.patch_ids:
            return conflict
        line = self._lines.of(commits)
        for count in range(len(line), 1, -1):
            part = CommitRange(commits.base, line[count - 1], commits.excluded)
            if self._may_be_landed(part, onto, upstream) and is_landed(self.engine, part, onto, upstream.patch_ids):
                rest = CommitRange(line[count - 1], commits.tip, (*commits.excluded, commits.base))
                replayed = self.engine.replay(rest, onto)
                if isinstance(replayed, Conflicted):
                    return replayed
                return Replayed(replayed.tip, replayed.pairs, (*line[:count], *replayed.dropped), replayed.resolved)
        return conflict

    def _may_be_landed(self, part: CommitRange, onto: Oid, upstream: Upstream) -> bool:
        """Return False where `is_landed` surely does, which it takes several git processes to find out.

        It does if no commit of the base changes only paths of the part, and if there is a file that the part changes
        and that `onto` has as it was: then a merge would change that file.
        """
        paths = self.engine.paths(part, onto)
        if any(changed <= paths for changed in upstream.paths):
            return True
        tree = self.engine.tree(onto)
        return not any(self.engine.file(tree, path) == before for path, before in self._modified_by(part, paths))

    def _modified_by(self, part: CommitRange, paths: Iterable[str]) -> tuple[tuple[str, bytes], ...]:
        """Return the existing files that these commits change, with what they were before."""
        span = (part.base, part.tip)
        if span not in self._modified:
            old, new = self.engine.tree(part.base), self.engine.tree(part.tip)
            before = {path: content for path in sorted(paths) if (content := self.engine.file(old, path)) is not None}
            self._modified[span] = tuple(
                (path, content) for path, content in before.items() if self.engine.file(new, path) != content
            )
        return self._modified[span]

    def _upstream(self, base: Oid, base_tip: Oid) -> Upstream:
        """Return what the base got since a branch started."""
        if (base, base_tip) not in self._upstreams:
            spans = _upstream_spans(self.repository, base, base_tip)
            paths = (changed.paths for changed in changed_paths(self.repository, spans).values())
            self._upstreams[base, base_tip] = Upstream(
                patch_ids(self.repository, spans), tuple(names for names in paths if names)
            )
        return self._upstreams[base, base_tip]


class OwnLines:
    """The own commits of branches that are plain lines, all read in one process."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._tips: dict[Oid, None] = {}
        self._onto: Oid | None = None
        self._parents: dict[Oid, tuple[Oid, ...]] | None = None
        self._excluded: tuple[Oid, ...] = ()
        self._covered: set[Oid] = set()

    def expect(self, tips: Iterable[Oid], onto: Oid) -> None:
        """Remember the tips of branches, and the commit that their own commits are not in."""
        self._tips |= dict.fromkeys(tips)
        self._onto, self._parents = onto, None

    def of(self, commits: CommitRange) -> list[Oid]:
        """Return a branch's own commits, oldest first; none if it is short, long, or not a plain line."""
        parents = self._read()
        without = self._reachable(commits.excluded)
        line: list[Oid] = []
        commit = commits.tip
        below_base = self._below(commits.base)
        while commit in parents and commit not in below_base and commit not in without:
            if len(parents[commit]) != 1 or len(line) == _MAX_COMMITS:
                return []
            line.append(commit)
            (commit,) = parents[commit]
        return line[::-1] if len(line) > 1 else []

    def _read(self) -> dict[Oid, tuple[Oid, ...]]:
        """Return the parents of all commits of the expected branches that the base has not."""
        if self._parents is None:
            revisions = "".join(f"{oid}\n" for oid in (*self._tips, f"^{self._onto}")).encode()
            listing = self.repository.git("rev-list", "--parents", "--stdin", input=revisions).text
            commits = ([Oid(word) for word in line.split(" ")] for line in listing.split("\n") if line)
            self._parents = {oid: tuple(parents) for oid, *parents in commits}
            self._excluded, self._covered = (), set()
        return self._parents

    def _reachable(self, tips: tuple[Oid, ...]) -> set[Oid]:
        """Return the commits below these tips; where tips were added to the last ones, only theirs are looked for."""
        parents = self._read()
        if tips[: len(self._excluded)] != self._excluded:
            self._excluded, self._covered = (), set()
        _add_reachable(self._covered, tips[len(self._excluded) :], parents)
        self._excluded = tips
        return self._covered

    def _below(self, base: Oid) -> set[Oid]:
        """Return a branch's base and what is below it; a branch of a stack has one that the base branch has not."""
        below: set[Oid] = set()
        _add_reachable(below, [base], self._read())
        return below


def _add_reachable(covered: set[Oid], tips: Iterable[Oid], parents: Mapping[Oid, tuple[Oid, ...]]) -> None:
    """Add the commits that are reachable from these tips, and not from those that are covered already."""
    pending = [*tips]
    while pending:
        commit = pending.pop()
        if commit in parents and commit not in covered:
            covered.add(commit)
            pending += parents[commit]


def is_landed(engine: Replayer, part: CommitRange, onto: Oid, upstream: frozenset[str]) -> bool:
    """Return whether `onto` has the changes of these commits: as one patch, or because merging them changes nothing."""
    if patch_ids(engine.repository, [(part.base, part.tip)]) & upstream:
        return True
    merged = merge_reviewed(engine, part, onto)
    return isinstance(merged, Merged) and merged.tree == engine.tree(onto)


def upstream_patch_ids(repository: Repository, base: Oid, tip: Oid) -> frozenset[str]:
    """Return the patch ids of the commits between two commits."""
    return patch_ids(repository, _upstream_spans(repository, base, tip))


def _upstream_spans(repository: Repository, base: Oid, tip: Oid) -> list[Span]:
    """Return the commits between two commits, without merges, each with its parent."""
    words = ("rev-list", "--no-merges", "--parents", f"--max-count={_MAX_UPSTREAM}", tip, f"^{base}")
    lines = (line.split() for line in repository.git(*words).text.splitlines())
    return [(Oid(line[1]), Oid(line[0])) for line in lines if len(line) > 1]


def patch_ids(repository: Repository, pairs: Iterable[Span]) -> frozenset[str]:
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
