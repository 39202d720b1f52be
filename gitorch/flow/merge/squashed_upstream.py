"""Commits that reached the base as one: a host that squashes a branch leaves no commit with the patch of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.flow.merge.merge_commits import merge_reviewed
from gitorch.git.changes import Span
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer, UpstreamCommit

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
        self._upstreams: dict[tuple[Oid, Oid], Sequence[UpstreamCommit]] = {}
        self._modified: dict[Span, tuple[tuple[str, Oid], ...]] = {}
        self._patch_ids: dict[Span, frozenset[str]] = {}

    def expect(self, onto: Oid) -> None:
        """Remember the commit on which branches will be replayed."""
        self._base_tip = onto

    def skip(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | Conflicted:
        """Return the replay of a branch in conflict without the commits that the base has; else the conflict.

        Only a base that moved on since the branch started can have them, and a single commit is compared by the replay
        itself: in the common case, this costs nothing.
        """
        base_tip = self._base_tip
        if base_tip is None or commits.base == base_tip:
            return conflict
        upstream = self._upstream(commits.base, base_tip)
        line = self._line(commits, onto) if upstream else []
        for count in range(len(line), 1, -1):
            part = CommitRange(commits.base, line[count - 1], commits.excluded)
            if self._is_landed(part, onto, upstream):
                rest = CommitRange(line[count - 1], commits.tip, (*commits.excluded, commits.base))
                replayed = self.engine.replay(rest, onto)
                if isinstance(replayed, Conflicted):
                    return replayed
                return Replayed(replayed.tip, replayed.pairs, (*line[:count], *replayed.dropped), replayed.resolved)
        return conflict

    def _line(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return a branch's own commits, oldest first; none if it is short, long, or not a plain line."""
        line = self.engine.own_commits(commits, onto)
        is_plain = 1 < len(line) <= _MAX_COMMITS and not self.engine.merge_commits(commits, onto)
        return line if is_plain else []

    def _is_landed(self, part: CommitRange, onto: Oid, upstream: Iterable[UpstreamCommit]) -> bool:
        """Return whether `onto` has the changes of these commits: as one patch, or as merging them changes nothing."""
        paths = self.engine.paths(part, onto)
        similar = [(commit.parent, commit.oid) for commit in upstream if commit.paths and commit.paths <= paths]
        if similar and self._patches([(part.base, part.tip)]) & self._patches(similar):
            return True
        # where a file is as it was before, a merge would change it
        tree = self.engine.tree(onto)
        if any(self.engine.file_id(tree, path) == before for path, before in self._modified_by(part, paths)):
            return False
        merged = self.engine.merge_on(part.base, onto, part.tip)
        return isinstance(merged, Merged) and merged.tree == tree

    def _modified_by(self, part: CommitRange, paths: Iterable[str]) -> tuple[tuple[str, Oid], ...]:
        """Return the existing files that these commits change, with the blobs that they had before."""
        span = (part.base, part.tip)
        if span not in self._modified:
            old, new = self.engine.tree(part.base), self.engine.tree(part.tip)
            before = {path: blob for path in sorted(paths) if (blob := self.engine.file_id(old, path)) is not None}
            self._modified[span] = tuple(
                (path, blob) for path, blob in before.items() if self.engine.file_id(new, path) != blob
            )
        return self._modified[span]

    def _upstream(self, base: Oid, base_tip: Oid) -> Sequence[UpstreamCommit]:
        """Return what the base got since a branch started."""
        if (base, base_tip) not in self._upstreams:
            self._upstreams[base, base_tip] = self.engine.upstream(base, base_tip)[:_MAX_UPSTREAM]
        return self._upstreams[base, base_tip]

    def _patches(self, spans: Iterable[Span]) -> frozenset[str]:
        """Return the patch ids of these changes; each is asked for once."""
        spans = [*spans]
        if missing := [span for span in spans if span not in self._patch_ids]:
            self.engine.keep(*(new for _, new in missing))
            self._patch_ids |= {span: patch_ids(self.repository, [span]) for span in missing}
        return frozenset[str]().union(*(self._patch_ids[span] for span in spans))


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
