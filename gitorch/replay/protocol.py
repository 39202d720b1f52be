"""The seam behind which commits are replayed: in memory, or by `git rebase`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay.values import CommitRange, Conflicted, Merged, Replayed, UpstreamCommit


class Replayer(Protocol):
    """Replays and merges commits of one repository. Nothing of it needs to be visible to others before `keep`.

    A replay gives what `git rebase` gives, with the same commit ids. Its result can be the base of further replays.
    """

    @property
    def repository(self) -> Repository: ...

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Read what replays of these commits onto `onto` will need, all at once: an optimisation, never required."""

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits onto a commit of the repository or of an earlier replay.

        As `git rebase` does: in topological order and without merges, with author, dates and message kept (in UTF-8). A
        commit that is already on top stays as it is. A change that is there already is dropped: by patch id, or for a
        stack only by its result, as with `rebase --onto`. A commit that was empty stays.
        """

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        """Return the paths that these commits change."""

    def own_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the commits that a replay onto a commit would pick, oldest first."""

    def upstream(self, base: Oid, onto: Oid) -> list[UpstreamCommit]:
        """Return what a commit has and `base` has not, the newest first and without merges."""

    def is_stack(self, commits: CommitRange, onto: Oid) -> bool:
        """Return whether a branch starts on commits that the repository's part of `onto` does not have."""

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ()) -> list[bool]:
        """Return for each branch whether it starts on a commit of `onto`, of these tips or of another rooted branch."""

    def merge_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the branch's own merge commits, oldest first: a replay leaves them out."""

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits, with the `.gitattributes` of the first."""

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        """Return the paths in which two commits conflict, as `merge` would; nothing that is merged is kept."""

    def merge_on(self, base: Oid, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits as if nothing but `base` were below both, with the `.gitattributes` of the first."""

    def add_blob(self, content: bytes) -> Oid:
        """Make a blob, for trees that are made here."""

    def with_files(self, tree: Oid, blobs: Mapping[str, Oid]) -> Oid:
        """Return a tree with the contents of some of its files replaced."""

    def rewrite(self, commit: Oid, tree: Oid, parent: Oid) -> Oid:
        """Return a commit with another tree and parent; the rest is as in a replay."""

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit of the repository or of an earlier replay."""

    def file_id(self, tree: Oid, path: str) -> Oid | None:
        """Return the blob of a file of a tree of the repository or of an earlier replay; None if there is none."""

    def file(self, tree: Oid, path: str) -> bytes | None:
        """Return a file of a tree of the repository or of an earlier replay; None if there is none."""

    def blob(self, oid: Oid) -> bytes | None:
        """Return the content of a blob of the repository, or of an earlier replay or merge; None if there is none."""

    def keep(self, *tips: Oid) -> None:
        """Store commits of earlier replays in the repository, with all that they need."""

    def keep_tree(self, tree: Oid) -> None:
        """Store a tree of an earlier replay or merge in the repository."""

    def close(self) -> None:
        """End the processes of this replayer, and forget what was not kept."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
