"""The replayer of a merge: an engine that resolves known conflicts and can squash tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from gitorch.flow.merge.resolve import ConflictSolver, Regenerate
from gitorch.flow.merge.resolver import KnownResolutions, RegenerateResolver
from gitorch.flow.merge.squash import Squasher
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.model.task import Task
from gitorch.replay import CommitRange, Conflicted, Merged, Replayed, Replayer


class MergeReplayer:
    """A `Replayer` that wraps an engine, resolves conflicts and squashes; it delegates everything else."""

    def __init__(
        self, engine: Replayer, solver: ConflictSolver | None = None, squasher: Squasher | None = None
    ) -> None:
        self.engine = engine
        self._solver = solver
        self._squasher = squasher

    @property
    def repository(self) -> Repository:
        return self.engine.repository

    @property
    def unsolved(self) -> Mapping[Oid, Conflicted]:
        """The unresolved conflicts, by the tip of the branch."""
        return self._solver.unsolved if self._solver else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits; a conflict that can be resolved goes in resolved, and is listed in `resolved`."""
        result = self.engine.replay(commits, onto)
        if isinstance(result, Conflicted) and self._solver:
            result = self._solver.solve(commits, onto, result)
        if isinstance(result, Replayed) and self._squasher:
            result = self._squasher.squash(commits, onto, result)
        return result

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        ranges = list(ranges)
        if self._solver:
            self._solver.expect(ranges, onto)
        self.engine.read(ranges, onto)

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        return self.engine.paths(commits, onto)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        return self.engine.merge(ours, theirs)

    def tree(self, commit: Oid) -> Oid:
        return self.engine.tree(commit)

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


def merge_replayer(
    engine: Replayer,
    commands: Mapping[str, str] | None = None,
    regenerate: Regenerate | None = None,
    *,
    tasks: Iterable[Task] = (),
    squash: bool = False,
    resolutions: KnownResolutions | None = None,
) -> MergeReplayer:
    """Return an engine with the resolvers of a merge: generated files (`commands`), then known resolutions.

    With `squash`, each of the `tasks` becomes one commit.
    """
    tasks = [task for task in tasks if task.tip]
    resolutions = resolutions or KnownResolutions(engine.repository, engine.blob)
    resolvers = (RegenerateResolver(commands or {}), resolutions)
    ids = {task.tip: task.id for task in tasks if task.tip}
    solver = ConflictSolver(engine, resolvers, resolutions, regenerate, ids)
    return MergeReplayer(engine, solver, Squasher(engine, tasks) if squash else None)


def engine_of(replayer: Replayer) -> Replayer:
    """Return the engine inside a merge's replayer, which neither resolves nor squashes."""
    return replayer.engine if isinstance(replayer, MergeReplayer) else replayer
