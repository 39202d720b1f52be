"""Commits that conflict because the base has their changes: squashed into one by a host, or those of a stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch.flow.merge.planning.merge_commits import merge_reviewed
from gitorch.git.diff.path_changes import Span
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer, UpstreamCommit

_MAX_COMMITS = 30
"""Longer branches are not searched for the part that was squashed."""
_MAX_UPSTREAM = 500
"""How many commits of the base are compared, the newest first."""


class SquashedUpstream:
    """Finds the commits in conflict whose changes the base has, and replays the others."""

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

        Only a base that moved on since the branch started can have them: in the common case, this costs nothing. Two or
        more first commits may be there as one. A single commit is compared by the replay itself, but not that of a
        stack, of which it looks at the results alone, as `git rebase --onto` does.
        """
        base_tip = self._base_tip
        if base_tip is None or commits.base == base_tip:
            return conflict
        upstream = self._upstream(commits.base, base_tip)
        line = self._line(commits, onto) if upstream else []
        for count in range(len(line), 1, -1):
            part = CommitRange(commits.base, line[count - 1], commits.excluded)
            if self._is_landed(part, onto, upstream):
                below = Replayed(onto, (), tuple(line[:count]))
                return self._replay_rest(_above(commits, line[count - 1]), below)
        if conflict.commit in line and self.engine.is_stack(commits, onto):
            return self._skip_one(commits, onto, conflict, line)
        return conflict

    def _skip_one(
        self, commits: CommitRange, onto: Oid, conflict: Conflicted, line: Sequence[Oid]
    ) -> Replayed | Conflicted:
        """Return the replay of a stack without the commit in conflict if the base has its patch; else the conflict."""
        index = line.index(conflict.commit)
        parent = line[index - 1] if index else commits.base
        part = CommitRange(parent, conflict.commit, commits.excluded)
        if not self._has_patch(part, onto, self._upstream(commits.base, self._base_tip or onto)):
            return conflict
        below = Replayed(onto, (), ())
        if index:
            first = self.engine.replay(CommitRange(commits.base, parent, commits.excluded), onto)
            if isinstance(first, Conflicted):
                return conflict
            below = first
        below = msgspec.structs.replace(below, dropped=(*below.dropped, conflict.commit))
        return self._replay_rest(_above(commits, conflict.commit), below)

    def _replay_rest(self, rest: CommitRange, below: Replayed) -> Replayed | Conflicted:
        """Return the replay of the last commits of a branch on that of the first ones, as one replay."""
        replayed = self.engine.replay(rest, below.tip)
        if isinstance(replayed, Conflicted):
            replayed = self.skip(rest, below.tip, replayed)
        if isinstance(replayed, Conflicted):
            return replayed
        return Replayed(
            replayed.tip,
            (*below.pairs, *replayed.pairs),
            (*below.dropped, *replayed.dropped),
            (*below.resolved, *replayed.resolved),
        )

    def _line(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return a branch's own commits, oldest first; none if it is long, or not a plain line."""
        line = self.engine.own_commits(commits, onto)
        is_plain = len(line) <= _MAX_COMMITS and not self.engine.merge_commits(commits, onto)
        return line if is_plain else []

    def _is_landed(self, part: CommitRange, onto: Oid, upstream: Iterable[UpstreamCommit]) -> bool:
        """Return whether `onto` has the changes of these commits: as one patch, or as merging them changes nothing."""
        if self._has_patch(part, onto, upstream):
            return True
        paths = self.engine.paths(part, onto)
        # where a file is as it was before, a merge would change it
        tree = self.engine.tree(onto)
        if any(self.engine.file_id(tree, path) == before for path, before in self._modified_by(part, paths)):
            return False
        merged = self.engine.merge_on(part.base, onto, part.tip)
        return isinstance(merged, Merged) and merged.tree == tree

    def _has_patch(self, part: CommitRange, onto: Oid, upstream: Iterable[UpstreamCommit]) -> bool:
        """Return whether the base has the changes of these commits as one patch."""
        paths = self.engine.paths(part, onto)
        similar = [(commit.parent, commit.oid) for commit in upstream if commit.paths and commit.paths <= paths]
        return bool(similar and self._patches([(part.base, part.tip)]) & self._patches(similar))

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


def _above(commits: CommitRange, commit: Oid) -> CommitRange:
    """Return the commits of a branch above one of its commits."""
    return CommitRange(commit, commits.tip, (*commits.excluded, commits.base))


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
