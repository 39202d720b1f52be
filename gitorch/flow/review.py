"""Review cards: the changes of a branch and its risk signals, derived from git and the attempt alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from gitorch.config import Config
from gitorch.git import credentials
from gitorch.git.repository import Repository
from gitorch.model import alarms, globs
from gitorch.model.branch_state import BranchState, LaterCommit, describe
from gitorch.model.forecast import Conflict
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.redact import redacted
from gitorch.model.task import Task, commit_range
from gitorch.replay import Conflicted, replay

LARGE = 400
_MAX_MOVED = 10
_TEST = re.compile(r"(^|/)(tests?|spec|__tests__)/|(^|/)test_[^/]*$|_test\.[a-z]+$|\.(test|spec)\.[a-z]+$")


_HOLDS_CREDENTIALS = re.compile(
    r"(^|/)(\.env(\.(?!example|sample|template|dist|defaults?$)[^/]*)?|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.htpasswd"
    r"|\.git-credentials|credentials(\.json|\.ini)?|[^/]*\.(p12|pfx|jks|keystore|kdbx|ppk))$"
)
_NAMED = 5


class FileChange(msgspec.Struct, frozen=True):
    """One file of a branch diff: its status (A, D, M, T, R...), and the lines added and removed (None: binary)."""

    path: str
    status: str
    added: int | None
    removed: int | None


class RiskSignal(msgspec.Struct, frozen=True):
    """A reason to look closer. `weight` is 3 (high) to 1 (low)."""

    weight: int
    text: str
    path: str = ""


class ReviewCard(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of one task that a reviewer sees before the diff; `later` are the commits since its last attempt."""

    task: Task
    changes: tuple[FileChange, ...]
    commits: tuple[str, ...]
    signals: tuple[RiskSignal, ...]
    later: tuple[LaterCommit, ...] = ()
    unlocks: tuple[TaskId, ...] = ()

    @property
    def added(self) -> int:
        return sum(change.added or 0 for change in self.changes)

    @property
    def removed(self) -> int:
        return sum(change.removed or 0 for change in self.changes)

    @property
    def risk(self) -> str:
        heaviest = max((signal.weight for signal in self.signals), default=0)
        return {0: "low", 1: "low", 2: "medium"}.get(heaviest, "high")


def changes(repository: Repository, base: Oid, tip: Oid) -> tuple[FileChange, ...]:
    """Return the files that differ between two commits."""
    options = ("-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    states = repository.git("diff-tree", "--name-status", *options, base, tip).fields()
    counts = repository.git("diff-tree", "--numstat", *options, base, tip).fields()
    kinds = dict(zip(states[1::2], states[::2], strict=True))
    rows = (entry.split("\t", 2) for entry in counts)
    return tuple(
        FileChange(path, kinds.get(path, "M"), _count(added), _count(removed)) for added, removed, path in rows
    )


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def card(
    repository: Repository,
    config: Config,
    state: BranchState,
    moved: Sequence[str] = (),
    conflicts: Sequence[Conflict] = (),
    unlocks: Sequence[TaskId] = (),
) -> ReviewCard:
    """Return the review card of a task that has commits.

    `moved` is what changed outside of its worktree meanwhile, `conflicts` are its conflicts in the saved forecast,
    `unlocks` the tasks that wait for its verdict.
    """
    task = state.task
    base, tip = commit_range(task)
    changed = changes(repository, base, tip)
    log = repository.git("log", "--reverse", "-z", "--format=%h %s", f"{base}..{tip}").stdout
    subjects = tuple(redacted(entry) for entry in log.decode("utf-8", "replace").split("\0") if entry)
    signals = [RiskSignal(3, f"while it ran, and not by gitorch: {change}") for change in moved[:_MAX_MOVED]]
    if by_hand := describe(state):
        signals.append(RiskSignal(1, by_hand))
    signals += [*_signals(task, config, changed, moved), *_credentials(repository, base, tip)]
    signals += _forecast(repository, config, task)
    signals += _predicted(task, conflicts)
    ordered = sorted(signals, key=lambda signal: -signal.weight)
    return ReviewCard(
        task=task, changes=changed, commits=subjects, signals=tuple(ordered), later=state.later, unlocks=tuple(unlocks)
    )


def in_review_order(cards: Sequence[ReviewCard]) -> list[ReviewCard]:
    """Sort cards for reading: those whose verdict unlocks most tasks first, then the riskiest, then the largest."""
    rank = {"high": 0, "medium": 1, "low": 2}
    return sorted(
        cards,
        key=lambda card: (-len(card.unlocks), rank[card.risk], -(card.added + card.removed), card.task.number),
    )


def _signals(task: Task, config: Config, changed: Sequence[FileChange], moved: Sequence[str]) -> list[RiskSignal]:
    signals = [RiskSignal(3, f"check {result.name} fails") for result in task.results if not result.passed]
    if not task.results:
        signals.append(RiskSignal(2, "not checked"))
    if task.stale:
        signals.append(RiskSignal(2, "a task it builds on has changed since"))
    if task.attempt:
        signals += [
            RiskSignal(3 if alarms.is_hook(alarm) else 2, alarms.describe(alarm, moved))
            for alarm in task.attempt.alarms
        ]
        signals += [RiskSignal(1, f"the agent was refused: {action}") for action in task.attempt.denials]
    size = sum((change.added or 0) + (change.removed or 0) for change in changed)
    if size > LARGE:
        signals.append(RiskSignal(2, f"{size} lines"))
    for change in changed:
        signals += path_signals(change, config, task)
    return signals


def _credentials(repository: Repository, base: Oid, tip: Oid) -> list[RiskSignal]:
    found = credentials.search(repository, base, tip)
    signals = [
        RiskSignal(3, f"adds a credential: {item.kind} (sha256 {item.digest})", item.place)
        for item in found.credentials[:_NAMED]
    ]
    if len(found.credentials) > _NAMED:
        signals.append(RiskSignal(3, f"adds {len(found.credentials) - _NAMED} more credentials"))
    if not found.is_complete:
        limit = credentials.LIMIT // 1_000_000
        signals.append(RiskSignal(3, f"only the first {limit} MB of what it adds were searched for credentials"))
    return signals


def path_signals(change: FileChange, config: Config, task: Task) -> list[RiskSignal]:
    """Return the signals of one changed file."""
    signals = []
    if change.status == "D" and _TEST.search(change.path):
        signals.append(RiskSignal(3, "a test was deleted", change.path))
    elif _TEST.search(change.path) and (change.removed or 0) > (change.added or 0):
        signals.append(RiskSignal(2, "a test got shorter", change.path))
    if change.status != "D" and _HOLDS_CREDENTIALS.search(change.path):
        signals.append(RiskSignal(2, "such a file often holds credentials", change.path))
    if globs.matches(change.path, config.review.sensitive):
        signals.append(RiskSignal(2, "sensitive", change.path))
    if task.spec.paths and not globs.matches(change.path, task.spec.paths):
        signals.append(RiskSignal(2, "outside the task's paths", change.path))
    if change.added is None:
        signals.append(RiskSignal(1, "binary", change.path))
    return signals


def _predicted(task: Task, conflicts: Sequence[Conflict]) -> list[RiskSignal]:
    """Return the conflicts with other tasks in flight that the saved forecast has."""
    pairs = [(other, conflict) for conflict in conflicts for other in conflict.tasks if other != task.id]
    return [
        RiskSignal(2, f"will conflict with {other}", conflict.paths[0] if conflict.paths else "")
        for other, conflict in pairs[:_NAMED]
    ]


def _forecast(repository: Repository, config: Config, task: Task) -> list[RiskSignal]:
    ref = branch_ref(config.integration)
    tip = repository.refs(ref).get(ref)
    if tip is None or repository.is_ancestor(tip, commit_range(task)[1]):  # merged into the branch by hand
        return []
    forecast = replay(repository, *commit_range(task), tip)
    if isinstance(forecast, Conflicted):
        return [RiskSignal(3, f"conflicts with {config.integration}", path) for path in forecast.paths]
    return []
