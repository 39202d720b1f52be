"""Replay tasks with one of several proposals for each conflict; each replay is made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gitorch.flow.merge.resolution.landing import Choices
from gitorch.flow.merge.resolution.replayer import MergeReplayer
from gitorch.flow.merge.resolution.resolver import Resolver
from gitorch.flow.merge.resolution.syntax_resolver import ChosenProposals
from gitorch.flow.merge.task_error import TaskError, task_error
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, Replayed


class ProposedReplay(NamedTuple):
    """The result of a replay, and how many proposals there were for each path that needed one."""

    result: Replayed | Conflicted | TaskError
    counts: Mapping[str, int]


class ProposalReplayer:
    """Replays commits like a merge, and asks one more resolver for what stays in conflict."""

    def __init__(self, replayer: MergeReplayer, resolver: Resolver) -> None:
        self._replayer = replayer
        self._resolver = resolver
        self._replays: dict[tuple[CommitRange, Oid, frozenset[tuple[str, int]]], ProposedReplay] = {}

    def replay(self, commits: CommitRange, onto: Oid, choices: Choices) -> ProposedReplay:
        """Replay commits with these proposals."""
        key = commits, onto, frozenset(choices.items())
        if key not in self._replays:
            chosen = ChosenProposals(self._resolver, choices)
            try:
                result: Replayed | Conflicted | TaskError = self._replayer.with_resolver(chosen).replay(commits, onto)
            except Exception as error:  # whatever this task causes, the others go in
                result = task_error(error)
            self._replays[key] = ProposedReplay(result, chosen.counts)
        return self._replays[key]
