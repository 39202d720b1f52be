"""Signals of a task itself: its checks, what its agent did and said, and what it builds on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gitorch.flow.review.signals.rules import signal
from gitorch.flow.review.values import RiskSignal
from gitorch.model import alarms
from gitorch.model.credentials.redaction import redacted
from gitorch.model.forecasts.conflict_forecast import Conflict, RemovedName
from gitorch.model.naming import TaskId
from gitorch.model.outcome import AttemptOutcome
from gitorch.model.task import Task
from gitorch.model.visible import visible

_MAX_MOVED = 10
_MAX_CONFLICTS = 5
_EARLY = {
    AttemptOutcome.TIMED_OUT: "timed out",
    AttemptOutcome.STALLED: "stalled",
    AttemptOutcome.CRASHED: "crashed",
    AttemptOutcome.OUT_OF_BUDGET: "ran out of its budget",
}
_DOUBTFUL = re.compile(
    r"\b(?:could ?n[o']t|can ?not|can't|was(?: not|n't) able|unable to|did(?: not|n't)|have(?: not|n't)|"
    r"not (?:yet )?(?:tested|implemented|verified|run|covered|complete|sure|finished)|untested|unverified|"
    r"skipp(?:ed|ing)|todo|fixme|work-?around|placeholder|stub(?:bed)?|hard-?coded|for now|temporar(?:y|ily)|"
    r"assum(?:e|ed|ing|ption)|still fails?|(?:is|are) failing|left (?:out|undone)|"
    r"incomplete|partial(?:ly)?|disabled|commented out|simplif(?:y|ied) the test|should work|hopefully)\b",
    re.I,
)
# "I did not touch the API", "no tests were skipped", "did not need to": these reassure
_REASSURING = re.compile(
    r"\b(?:no|nothing|none|without)\b[^.;]{0,40}\b(?:skipped|todo|disabled|failing)\b|"
    r"\bdid(?: not|n't) (?:touch|change|modify|need|break|remove|alter|add any)\b|"
    r"\bhave(?: not|n't) (?:touched|changed|modified)\b|\bno (?:todo|work-?around|placeholder)",
    re.I,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LONGEST_QUOTE = 100


def task_signals(task: Task, moved: Sequence[str], unapproved: Sequence[TaskId]) -> Iterator[RiskSignal]:
    """Yield the signals of a task. `moved` changed outside of its worktree; `unapproved` are tasks it builds on."""
    for change in moved[:_MAX_MOVED]:
        yield signal("moved-outside", f"while it ran, and not by gitorch: {change}")
    for result in task.results:
        if not result.passed:
            yield signal("check-failed", f"check {result.name} fails")
    if not task.results:
        yield signal("not-checked", "not checked")
    if task.stale:
        yield signal("stale", "a task it builds on has changed since")
    if unapproved:
        yield signal("unapproved-base", f"builds on {', '.join(unapproved)}, which is not approved")
    yield from _attempts(task, moved)
    yield from _summary(task)


def conflict_signals(task: Task, conflicts: Sequence[Conflict]) -> Iterator[RiskSignal]:
    """Yield the conflicts with other tasks in flight that the saved forecast has."""
    pairs = [(other, conflict) for conflict in conflicts for other in conflict.tasks if other != task.id]
    for other, conflict in pairs[:_MAX_CONFLICTS]:
        path = conflict.paths[0] if conflict.paths else ""
        yield signal("conflict-task", f"will conflict with {other}", path)


def name_signals(task: Task, removed: Iterable[RemovedName]) -> Iterator[RiskSignal]:
    """Yield the names of the saved forecast that a task removes and another one newly uses, or the other way round."""
    for entry in [entry for entry in removed if task.id in (entry.removed_by, entry.used_by)][:_MAX_CONFLICTS]:
        if entry.removed_by == task.id:
            text, path = f"removes {entry.name}, which {entry.used_by} newly uses in {entry.used_in}", entry.removed_in
        else:
            text, path = f"newly uses {entry.name}, which {entry.removed_by} removes or renames", entry.used_in
        yield signal("removed-name", text, path)


def _attempts(task: Task, moved: Sequence[str]) -> Iterator[RiskSignal]:
    for past in task.past:
        if (outcome := next((outcome for outcome in _EARLY if outcome == past.outcome), None)) is not None:
            yield signal("attempt-ended-early", f"attempt {past.number} {_EARLY[outcome]}")
    if (attempt := task.attempt) is None:
        return
    for alarm in attempt.alarms:
        yield signal(_kind(alarm), alarms.describe(alarm, moved))
    for action in attempt.denials:
        yield signal("denied", f"the agent was refused: {action}")
    if attempt.round > 1:
        count = attempt.round - 1
        times = "once" if count == 1 else f"{count} times"
        yield signal("rounds", f"failing checks went back to the agent {times}")


def _kind(alarm: str) -> str:
    if alarms.is_past_hooks(alarm):
        return "hook-bypassed"
    if alarms.is_hook(alarm):
        return "hook-refused"
    if alarms.is_command(alarm) or alarms.is_left_running(alarm):
        return "risky-command"
    return "redacted" if alarms.is_redacted(alarm) else "refused-action"


def _summary(task: Task) -> Iterator[RiskSignal]:
    """Yield the sentences of the agent's last message that cast doubt on its work."""
    summary = redacted(visible(task.attempt.summary)) if task.attempt else ""
    for sentence in _SENTENCE.split(summary):
        words = _REASSURING.sub("", sentence)
        if _DOUBTFUL.search(words):
            quote = " ".join(sentence.split())
            quote = quote if len(quote) <= _LONGEST_QUOTE else quote[: _LONGEST_QUOTE - 3] + "..."
            yield signal("doubtful-words", f'the agent says: "{quote}"')
            return
