"""Review cards: the changes of a branch and its risk signals, derived from git and the attempt alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitorch.config import Config
from gitorch.flow.review.binary_sizes import with_sizes
from gitorch.flow.review.signals.attempt_signals import conflict_signals, name_signals, task_signals
from gitorch.flow.review.signals.check_files import personal_check_signals
from gitorch.flow.review.signals.file_signals import path_signals, size_signals
from gitorch.flow.review.signals.patch_signals import patch_signals, text_at
from gitorch.flow.review.signals.rules import MAX_NAMED, shortened, signal
from gitorch.flow.review.values import BranchFacts, ReviewCard, RiskSignal
from gitorch.git.collecting import credentials
from gitorch.git.diff.file_changes import FileChange
from gitorch.git.diff.file_patches import read_files
from gitorch.git.repository import Repository
from gitorch.model.branch_state import BranchState, describe
from gitorch.model.credentials.redaction import redacted
from gitorch.model.forecasts.conflict_forecast import Conflict, RemovedName
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task, commit_range
from gitorch.replay import Conflicted, replay


def branch_facts(repository: Repository, base: Oid, tip: Oid, changed: Sequence[FileChange]) -> BranchFacts:
    """Return what the commits of a branch say; `changed` are its files."""
    log = repository.git("log", "--reverse", "-z", "--format=%h %s", f"{base}..{tip}").stdout
    return BranchFacts(
        changes=with_sizes(repository, base, tip, changed),
        subjects=tuple(redacted(entry) for entry in log.decode("utf-8", "replace").split("\0") if entry),
        signals=tuple(_content_signals(repository, base, tip)),
    )


def card(
    repository: Repository,
    config: Config,
    state: BranchState,
    facts: BranchFacts,
    moved: Sequence[str] = (),
    conflicts: Sequence[Conflict] = (),
    unlocks: Sequence[TaskId] = (),
    unapproved: Sequence[TaskId] = (),
    integration: Oid | None = None,
    removed_names: Sequence[RemovedName] = (),
) -> ReviewCard:
    """Return the review card of a task that has commits: `facts` are those of its branch.

    `moved` is what changed outside of its worktree meanwhile, `conflicts` are its conflicts in the saved forecast,
    `unlocks` the tasks that wait for its verdict, `unapproved` those it builds on that have none, `integration` is the
    tip of the integration branch, and `removed_names` are what the forecast says of names.
    """
    task = state.task
    signals = [*task_signals(task, moved, unapproved)]
    if by_hand := describe(state):
        signals.append(signal("by-hand", by_hand))
    signals += branch_signals(config, task, facts)
    signals += _base_conflicts(repository, config, task, integration)
    signals += conflict_signals(task, conflicts)
    signals += name_signals(task, removed_names)
    ordered = sorted(shortened(signals), key=lambda signal: -signal.weight)
    return ReviewCard(
        task=task,
        changes=facts.changes,
        commits=facts.subjects,
        signals=tuple(ordered),
        later=state.later,
        unlocks=tuple(unlocks),
    )


def branch_signals(config: Config, task: Task, facts: BranchFacts) -> Iterator[RiskSignal]:
    """Yield the signals of what a task's branch changes."""
    yield from size_signals(facts.changes)
    for change in facts.changes:
        for entry in change.as_paths():
            yield from path_signals(entry, config, task)
    yield from facts.signals
    known = {entry.path for entry in facts.signals if entry.kind == "check-script"}
    yield from personal_check_signals({**config.checks, **task.spec.checks}, facts.changes, known)


def _content_signals(repository: Repository, base: Oid, tip: Oid) -> Iterator[RiskSignal]:
    yield from patch_signals(read_files(repository, base, tip), text_at(repository, base), text_at(repository, tip))
    yield from _credentials(repository, base, tip)


def in_review_order(cards: Sequence[ReviewCard]) -> list[ReviewCard]:
    """Sort cards for reading: those whose verdict unlocks most tasks first, then the riskiest, then the largest."""
    rank = {"high": 0, "medium": 1, "low": 2}
    return sorted(
        cards,
        key=lambda card: (-len(card.unlocks), rank[card.risk], -(card.added + card.removed), card.task.number),
    )


def _credentials(repository: Repository, base: Oid, tip: Oid) -> Iterator[RiskSignal]:
    search = credentials.search(repository, base, tip)
    for item in search.credentials[:MAX_NAMED]:
        text = f"adds a credential: {item.kind} (sha256 {item.digest})"
        if item.path:
            yield signal("credential", text, item.path, item.line)
        else:
            yield signal("credential", f"{text} in the {item.place}")
    if len(search.credentials) > MAX_NAMED:
        yield signal("credential", f"adds {len(search.credentials) - MAX_NAMED} more credentials")
    if search.only is not None:
        text = f"only the first {search.megabytes} MB of what it adds were searched for credentials"
        yield signal("unsearched", text)


def _base_conflicts(repository: Repository, config: Config, task: Task, tip: Oid | None) -> Iterator[RiskSignal]:
    if tip is None or repository.is_ancestor(tip, commit_range(task)[1]):  # merged into the branch by hand
        return
    forecast = replay(repository, *commit_range(task), tip)
    if isinstance(forecast, Conflicted):
        for path in forecast.paths:
            yield signal("conflict-base", f"conflicts with {config.integration}", path)
