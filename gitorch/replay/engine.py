"""A replayer that builds on another one, its engine: it replays in its own way, and leaves everything else to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay.protocol import Replayer
from gitorch.replay.values import CommitRange, Conflicted, Merged, Replayed, UpstreamCommit


class EngineReplayer:
    """A `Replayer` that delegates to its engine; subclasses replace what they do differently."""

    def __init__(self, engine: Replayer) -> None:
        self.engine = engine

    @property
    def repository(self) -> Repository:
        return self.engine.repository

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        self.engine.read(ranges, onto)

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        return self.engine.replay(commits, onto)

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        return self.engine.paths(commits, onto)

    def own_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        return self.engine.own_commits(commits, onto)

    def upstream(self, base: Oid, onto: Oid) -> list[UpstreamCommit]:
        return self.engine.upstream(base, onto)

    def is_stack(self, commits: CommitRange, onto: Oid) -> bool:
        return self.engine.is_stack(commits, onto)

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ()) -> list[bool]:
        return self.engine.rooted(ranges, onto, tips)

    def merge_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        return self.engine.merge_commits(commits, onto)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        return self.engine.merge(ours, theirs)

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        return self.engine.conflict_paths(ours, theirs)

    def merge_on(self, base: Oid, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        return self.engine.merge_on(base, ours, theirs)

    def add_blob(self, content: bytes) -> Oid:
        return self.engine.add_blob(content)

    def with_files(self, tree: Oid, blobs: Mapping[str, Oid]) -> Oid:
        return self.engine.with_files(tree, blobs)

    def rewrite(self, commit: Oid, tree: Oid, parent: Oid) -> Oid:
        return self.engine.rewrite(commit, tree, parent)

    def tree(self, commit: Oid) -> Oid:
        return self.engine.tree(commit)

    def file_id(self, tree: Oid, path: str) -> Oid | None:
        return self.engine.file_id(tree, path)

    def file(self, tree: Oid, path: str) -> bytes | None:
        return self.engine.file(tree, path)

    def blob(self, oid: Oid) -> bytes | None:
        return self.engine.blob(oid)

    def keep(self, *tips: Oid) -> None:
        self.engine.keep(*tips)

    def keep_tree(self, tree: Oid) -> None:
        self.engine.keep_tree(tree)

    def close(self) -> None:
        self.engine.close()
