"""Replay past conflicts with the proposals of resolvers; stop if a file in conflict has no proposal."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import msgspec

from gitorch.flow.merge.resolution.remembered import Sides, sides
from gitorch.flow.merge.resolution.resolver import ConflictFile, KnownResolutions, Proposal, Resolver, resolved_files
from gitorch.git.repository import Commit
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import ResolvedFile
from gitorch.replay import CommitRange, Conflicted, Replayed, Replayer, Resolved

Regenerate = Callable[[Oid, Mapping[str, str]], Mapping[str, Oid] | None]
"""Runs the command of each path on a commit; returns the files they make, or None if one failed."""


class _ReplayProgress(msgspec.Struct):
    """How far a replay in pieces has come: its tip, the commits that are left, and its result so far."""

    tip: Oid
    remaining: CommitRange
    pairs: list[tuple[Oid, Oid]] = []
    dropped: list[Oid] = []
    resolved: list[Resolved] = []


class ConflictSolver:
    """Continues replays where conflicts can be resolved.

    `resolvers` are asked in their order. `resolutions` learns from merges on the replayed branches. Without
    `regenerate` (a dry run) generated files keep our side, and are reported as regenerated. `tasks` are
    the tasks by the tips of their branches. `unsolved` are the conflicts that remained, by the tip of the branch.
    """

    def __init__(
        self,
        engine: Replayer,
        resolvers: Sequence[Resolver],
        resolutions: KnownResolutions,
        regenerate: Regenerate | None = None,
        tasks: Mapping[Oid, TaskId] | None = None,
    ) -> None:
        self.engine = engine
        self.repository = engine.repository
        self.unsolved: dict[Oid, Conflicted] = {}
        self._resolvers = resolvers
        self._resolutions = resolutions
        self._regenerate = regenerate
        self._tasks = tasks or {}
        self._generated: dict[tuple[Oid, str], Oid | None] = {}
        self._expected: dict[Oid, tuple[CommitRange, Oid]] = {}
        self._learned: set[Oid] = set()

    def with_resolver(self, resolver: Resolver) -> Self:
        """Return a solver that asks one more resolver last, and shares what this one has learned."""
        extended = copy.copy(self)
        extended._resolvers = (*self._resolvers, resolver)
        extended.unsolved = {}
        return extended

    def expect(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Remember branches that will be replayed: merges on them may show how conflicts were resolved."""
        self._expected.update((commits.tip, (commits, onto)) for commits in ranges if commits.tip != commits.base)

    def solve(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | Conflicted:
        """Replay commits past a conflict, if all its files and those of further conflicts can be resolved."""
        self._learn_from_merges(commits, onto)
        replayed = self._replay_in_pieces(commits, onto, conflict)
        if replayed is None:
            self.unsolved[commits.tip] = conflict
        return replayed or conflict

    def _replay_in_pieces(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Replayed | None:
        """Replay up to a conflict, then the commit that conflicts, then the rest; None if a conflict remains."""
        if self._choose(conflict, commits) is None:
            return None  # the common case, and it starts no process
        progress = _ReplayProgress(onto, commits)
        while True:
            if not self._pick_conflict(commits, conflict, progress):
                return None
            result = self.engine.replay(progress.remaining, progress.tip)
            if isinstance(result, Replayed):
                dropped = (*progress.dropped, *result.dropped)
                if self._drops_repeats(commits, dropped):
                    return None
                return Replayed(result.tip, (*progress.pairs, *result.pairs), dropped, tuple(progress.resolved))
            conflict = result

    def _pick_conflict(self, commits: CommitRange, conflict: Conflicted, progress: _ReplayProgress) -> bool:
        """Replay the commits before a conflict, and the commit that conflicts with its files resolved."""
        (commit,) = self.repository.commits([conflict.commit])
        if not commit.parents:
            return False
        remaining = progress.remaining
        earlier = CommitRange(remaining.base, commit.parents[0], remaining.excluded)
        later = CommitRange(commit.oid, commits.tip, (*commits.excluded, commits.base))
        if not self._are_in_order(remaining, earlier, commit.oid, later, progress.tip):
            return False
        before = self.engine.replay(earlier, progress.tip)
        if isinstance(before, Conflicted):
            return False
        proposals = self._choose(conflict, commits)
        tip = self._write_resolved(commit, before.tip, conflict, proposals) if proposals is not None else None
        if tip is None or proposals is None:
            return False
        progress.tip = tip
        progress.pairs += [*before.pairs, (commit.oid, tip)]
        progress.dropped += before.dropped
        progress.resolved += _summarize(commit.oid, proposals, sides(conflict))
        progress.remaining = later
        return True

    def _are_in_order(
        self, commits: CommitRange, earlier: CommitRange, commit: Oid, later: CommitRange, onto: Oid
    ) -> bool:
        """Return whether a replay in these pieces picks the commits of the whole in the same order.

        It does not if the conflict is on a side branch: what is picked before it is not what is below it.
        """
        pieces = [*self.engine.own_commits(earlier, onto), commit, *self.engine.own_commits(later, onto)]
        return pieces == self.engine.own_commits(commits, onto)

    def _choose(self, conflict: Conflicted, commits: CommitRange) -> dict[str, Proposal] | None:
        """Return the first proposal for each file in conflict; None if a file has none."""
        by_path = sides(conflict)
        if not by_path or any(three is None for three in by_path.values()):
            return None
        our_tasks = tuple(self._tasks[tip] for tip in commits.excluded if tip in self._tasks)
        their_task = self._tasks.get(commits.tip)
        files = [
            ConflictFile(path, three, our_tasks, their_task) for path, three in by_path.items() if three is not None
        ]
        selected: dict[str, Proposal] = {}
        for resolver in self._resolvers:
            open_files = [file for file in files if file.path not in selected]
            proposals = resolver.propose(open_files) if open_files else {}
            selected |= {path: options[0] for path, options in proposals.items() if options}
        return selected if selected.keys() == by_path.keys() else None

    def _write_resolved(
        self, commit: Commit, parent: Oid, conflict: Conflicted, proposals: Mapping[str, Proposal]
    ) -> Oid | None:
        """Return the commit on its new parent with its conflict resolved; None if a file cannot be generated."""
        if conflict.tree is None:
            return None
        blobs = {path: proposal.blob for path, proposal in proposals.items()}
        tree = self.engine.with_files(conflict.tree, blobs)
        resolved = self.engine.rewrite(commit.oid, tree, parent)
        commands = {path: proposal.command for path, proposal in proposals.items() if proposal.command}
        if not commands or self._regenerate is None:
            return resolved
        generated = self._generate(self._regenerate, resolved, commands)
        if generated is None:
            return None
        return self.engine.rewrite(commit.oid, self.engine.with_files(tree, generated), parent)

    def _generate(self, regenerate: Regenerate, commit: Oid, commands: Mapping[str, str]) -> Mapping[str, Oid] | None:
        """Return the files that commands make on a commit; each runs once for the same tree."""
        tree = self.engine.tree(commit)
        if any((tree, path) not in self._generated for path in commands):
            self.engine.keep(commit)
            new = regenerate(commit, commands) or {}
            self._generated |= {(tree, path): new.get(path) for path in commands}
        blobs = {path: blob for path in commands if (blob := self._generated[tree, path])}
        return blobs if blobs.keys() == commands.keys() else None

    def _drops_repeats(self, commits: CommitRange, dropped: Sequence[Oid]) -> bool:
        """Return whether a dropped commit repeats one of its own branch.

        A replay in pieces drops such a commit because its change is already present; a replay in one piece does not.
        """
        if not dropped:
            return False
        listing = self.repository.git("rev-list", "--no-merges", commits.tip, f"^{commits.base}").stdout
        patches = self.repository.git("diff-tree", "--stdin", "-p", "--root", "-r", input=listing).stdout
        lines = self.repository.git("patch-id", "--stable", input=patches).text.split("\n")
        patch_ids = {words[1]: words[0] for line in lines if len(words := line.split()) == 2}
        counts = list(patch_ids.values())
        return any(counts.count(patch_ids[oid]) > 1 for oid in dropped if oid in patch_ids)

    def _learn_from_merges(self, commits: CommitRange, onto: Oid) -> None:
        """Learn how people resolved conflicts in merge commits of the branch, which a replay omits.

        The first conflict reads the merges of all expected branches.
        """
        if commits.tip in self._learned:
            return
        expected = self._expected if commits.tip in self._expected else {commits.tip: (commits, onto)}
        self._learned |= expected.keys()
        merges = dict.fromkeys(oid for pair in expected.values() for oid in self.engine.merge_commits(*pair))
        resolved: dict[Sides, Oid] = {}
        for commit in self.repository.commits(merges):
            if len(commit.parents) != 2:
                continue
            conflict = self.engine.merge(*commit.parents)
            if isinstance(conflict, Conflicted):
                resolved |= resolved_files(self.repository, commit.oid, sides(conflict))
        self._resolutions.learn(resolved)


def _summarize(commit: Oid, proposals: Mapping[str, Proposal], by_path: Mapping[str, Sides | None]) -> list[Resolved]:
    """Return the resolved paths, grouped by evidence."""
    by_evidence: dict[str, list[ResolvedFile]] = {}
    for path, proposal in proposals.items():
        if (three := by_path[path]) is not None:
            by_evidence.setdefault(proposal.evidence, []).append(_resolved_file(path, three, proposal))
    return [
        Resolved(commit, tuple(file.path for file in files), evidence, tuple(files))
        for evidence, files in by_evidence.items()
    ]


def _resolved_file(path: str, three: Sides, proposal: Proposal) -> ResolvedFile:
    return ResolvedFile(
        path=path,
        kind=proposal.evidence,
        base=three.base,
        ours=three.ours,
        theirs=three.theirs,
        result=proposal.blob,
        evidence=proposal.details,
    )
