"""The replayer of a merge: an engine that resolves known conflicts, can squash tasks, and replays nothing twice."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from gitorch.flow.merge.planning.merge_commits import MergeCommits
from gitorch.flow.merge.planning.squash import Squasher
from gitorch.flow.merge.planning.squashed_upstream import SquashedUpstream
from gitorch.flow.merge.resolution.replay import ConflictSolver, Regenerate
from gitorch.flow.merge.resolution.resolver import KnownResolutions, RegenerateResolver, Resolver
from gitorch.model.naming import Oid
from gitorch.model.task import Task
from gitorch.replay import CommitRange, Conflicted, Replayed, Replayer
from gitorch.replay.engine import EngineReplayer


class SharedReplays(EngineReplayer):
    """A `Replayer` that remembers what its engine made of the same commits on the same commit."""

    def __init__(self, engine: Replayer) -> None:
        super().__init__(engine)
        self._replays: dict[tuple[CommitRange, Oid], Replayed | Conflicted] = {}

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits, or return the result of the earlier replay."""
        key = commits, onto
        if key not in self._replays:
            self._replays[key] = self.engine.replay(commits, onto)
        return self._replays[key]


class MergeReplayer(EngineReplayer):
    """A `Replayer` that resolves conflicts, keeps what merge commits add, and squashes.

    What the base has as one commit, because a host squashed it, is left out.
    """

    def __init__(
        self, engine: Replayer, solver: ConflictSolver | None = None, squasher: Squasher | None = None
    ) -> None:
        super().__init__(engine)
        self._solver = solver
        self._merge_commits = MergeCommits(engine)
        self._squashed = SquashedUpstream(engine)
        self._squasher = squasher

    def with_resolver(self, resolver: Resolver) -> MergeReplayer:
        """Return a replayer that asks one more resolver last; both share the engine, and what was learned."""
        extended = copy.copy(self)
        extended._solver = self._solver.with_resolver(resolver) if self._solver else None
        return extended

    @property
    def unsolved(self) -> Mapping[Oid, Conflicted]:
        """The unresolved conflicts, by the tip of the branch."""
        return self._solver.unsolved if self._solver else {}

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits; a conflict that can be resolved goes in resolved, and is listed in `resolved`."""
        result = self.engine.replay(commits, onto)
        if isinstance(result, Conflicted):
            result = self._squashed.skip(commits, onto, result)
        if isinstance(result, Conflicted) and self._solver:
            result = self._solver.solve(commits, onto, result)
        if isinstance(result, Conflicted):
            result = self._merge_commits.replay_main_line(commits, onto, result)
        if isinstance(result, Replayed):
            result = self._merge_commits.keep_changes(commits, onto, result)
        if isinstance(result, Replayed) and self._squasher:
            result = self._squasher.squash(commits, onto, result)
        return result

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        ranges = list(ranges)
        self._squashed.expect(onto)
        if self._solver:
            self._solver.expect(ranges, onto)
        self.engine.read(ranges, onto)


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
    engine = SharedReplays(engine)
    tasks = [task for task in tasks if task.commits]  # of tens of thousands that wait
    resolutions = resolutions or KnownResolutions(engine.repository, engine.blob)
    resolvers = (RegenerateResolver(commands or {}), resolutions)
    ids = {task.tip: task.id for task in tasks if task.tip}
    solver = ConflictSolver(engine, resolvers, resolutions, regenerate, ids)
    return MergeReplayer(engine, solver, Squasher(engine, tasks) if squash else None)
