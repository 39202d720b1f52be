"""The labels and marks of a task: what it needs, how far it is, what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from gitorch.cli.terminal.sanitize import safe
from gitorch.cli.terminal.style import Span, TerminalStyle
from gitorch.cli.views.quantities import clock, count, dollars, duration, plural
from gitorch.model import graph, rivals
from gitorch.model.naming import TaskId, is_foreign
from gitorch.model.outcome import Usage
from gitorch.model.task import DONE, Attempt, CheckResult, Phase, Priority, State, Task

_LONGEST_TITLE = 40

LineCounts = tuple[int, int]
"""Lines that a branch adds and removes."""


class Bucket(StrEnum):
    """What a task needs next, in the order in which a person wants to know; the value follows a count."""

    REVIEW = "to review"
    RESOLVE = "in conflict"
    ANSWER = "with a question"
    READ = "with an answer"
    FIX = "failed"
    RUNNING = "running"
    PAUSED = "rate-limited"
    MERGE = "to merge"
    QUEUED = "queued"
    MERGED = "merged"
    DROPPED = "dropped"


NEEDS_YOU = (Bucket.REVIEW, Bucket.RESOLVE, Bucket.ANSWER, Bucket.READ, Bucket.FIX)
DONE_BUCKETS = (Bucket.MERGED, Bucket.DROPPED)

_MARKS: dict[Bucket, tuple[str, str, str]] = {
    Bucket.REVIEW: ("❯", ">", "bold cyan"),  # noqa: RUF001
    Bucket.RESOLVE: ("≠", "!", "bold red"),
    Bucket.ANSWER: ("?", "?", "bold yellow"),
    Bucket.READ: ("¶", "i", "bold cyan"),
    Bucket.FIX: ("✗", "x", "bold red"),
    Bucket.RUNNING: ("▶", "*", "blue"),
    Bucket.PAUSED: ("◔", "~", "yellow"),
    Bucket.MERGE: ("✓", "+", "green"),
    Bucket.QUEUED: ("·", ".", ""),
    Bucket.MERGED: ("●", "=", "green"),
    Bucket.DROPPED: ("–", "-", "dim"),  # noqa: RUF001
}

_BUCKETS: dict[State, Bucket] = {
    State.FINISHED: Bucket.REVIEW,
    State.CONFLICTED: Bucket.RESOLVE,
    State.FAILED: Bucket.FIX,
    State.RUNNING: Bucket.RUNNING,
    State.APPROVED: Bucket.MERGE,
    State.QUEUED: Bucket.QUEUED,
    State.MERGED: Bucket.MERGED,
    State.REJECTED: Bucket.DROPPED,
    State.CANCELLED: Bucket.DROPPED,
}


def bucket(task: Task) -> Bucket:
    """Return what a task needs next."""
    if task.state is State.WAITING:
        if task.has_result:
            return Bucket.READ
        return Bucket.PAUSED if task.wake else Bucket.ANSWER
    return _BUCKETS[task.state]


def bucket_style(of: Bucket) -> str:
    """Return the style of a bucket."""
    return _MARKS[of][2]


def needs_attention(task: Task) -> bool:
    """Return whether a task is shown in red: it failed, conflicts, or fails its checks."""
    return bucket(task) in (Bucket.FIX, Bucket.RESOLVE) or task.passed is False


def mark(task: Task, terminal: TerminalStyle) -> Span:
    """Return the symbol of a task's state."""
    if is_sent_back(task):
        return terminal.pick("↺", "<"), "yellow"
    symbol, ascii_symbol, style = _MARKS[bucket(task)]
    return terminal.pick(symbol, ascii_symbol), style


def is_sent_back(task: Task) -> bool:
    """Return whether a task is queued again because a reviewer wants changes."""
    return task.state is State.QUEUED and bool(task.comments)


def took(attempt: Attempt | None, now: datetime) -> str:
    """Return how long an attempt took, or has been running."""
    if attempt is None:
        return ""
    if attempt.phase is not Phase.ENDED and attempt.started is not None:
        return duration(max(1.0, (now - attempt.started).total_seconds()))
    return "" if attempt.seconds is None else duration(attempt.seconds)


def cost(usage: Usage | None) -> str:
    """Return what was spent in dollars, or in tokens where the price is unknown."""
    if usage is None:
        return ""
    if usage.usd is not None:
        return dollars(usage.usd)
    total = usage.input_tokens + usage.output_tokens
    return f"{count(total)} tok" if total else ""


def costs(usages: Iterable[Usage]) -> str:
    """Return what was spent together: dollars where the price is known, and tokens where it is not."""
    all_usages = [*usages]
    priced = [usage.usd for usage in all_usages if usage.usd is not None]
    unpriced = cost(sum((usage for usage in all_usages if usage.usd is None), start=Usage()))
    if not (priced and unpriced):
        return dollars(sum(priced)) if priced else unpriced
    return f"{dollars(sum(priced))} + {unpriced}"


def lines_changed(change: LineCounts | None) -> str:
    """Return the size of a diff: `+120 -4`; empty where it is unknown."""
    return "" if change is None else f"+{change[0]} -{change[1]}"


def checks(task: Task, terminal: TerminalStyle) -> Span:
    """Return how many checks passed; finished work without checks says so."""
    if not task.results:
        return ("none", "red") if task.state in DONE else ("", "")
    passed = sum(result.passed for result in task.results)
    all_passed = passed == len(task.results)
    symbol = terminal.pick("✓", "ok") if all_passed else terminal.pick("✗", "x")
    return f"{symbol} {passed}/{len(task.results)}", "green" if all_passed else "red"


def checks_passed(task: Task) -> str:
    """Return how many checks passed, as text; empty if nothing is checked yet."""
    if not task.results:
        return NOT_CHECKED if task.state in DONE else ""
    return f"checks {sum(result.passed for result in task.results)}/{len(task.results)}"


NOT_CHECKED = "not checked"
STALE = "stale (dependency changed)"


_FAILURE_CELLS = 48


def check_outcome(result: CheckResult) -> str:
    """Return how a check ended."""
    if result.failure:
        return safe(result.failure.partition("\n")[0], width=_FAILURE_CELLS)
    if result.exit_code is None:
        return "did not finish"
    return "passed" if result.passed else f"exit code {result.exit_code}"


def next_step(task: Task, tasks: Mapping[TaskId, Task], now: datetime, activity: str = "") -> tuple[str, str]:
    """Return what happens next with a task: the verb (a command's name, where the user has to act), and the reason."""
    match bucket(task):
        case Bucket.REVIEW:
            return "review", _review_reason(task, tasks)
        case Bucket.RESOLVE:
            return "retry", task.reason or "conflicts with merged work"
        case Bucket.ANSWER:
            return "answer", task.question or "the agent asked a question"
        case Bucket.READ:
            return "read", task.reason
        case Bucket.FIX:
            return "retry", task.full_reason or "no reason given"
        case Bucket.RUNNING:
            return "", activity or progress(task)
        case Bucket.PAUSED:
            return "", _pause_reason(task, now)
        case Bucket.MERGE:
            return _merge_step(task)
        case Bucket.QUEUED:
            return "", _queue_reason(task, tasks)
        case Bucket.MERGED:
            return "", task.reason or (f"as {task.merged_as[:7]}" if task.merged_as else "")
        case Bucket.DROPPED:
            return "", task.full_reason


def _merge_step(task: Task) -> tuple[str, str]:
    if task.is_left_out:
        return "revise", task.full_reason
    reasons = [STALE] if task.stale else []
    reasons += [task.restack_words] if task.restack_words else []
    return "merge", "; ".join(reasons)


def unlock_counts(tasks: Mapping[TaskId, Task]) -> dict[TaskId, int]:
    """Return how many tasks a verdict lets go on, for each task that needs one."""
    return graph.unlock_counts((name for name, task in tasks.items() if bucket(task) is Bucket.REVIEW), tasks)


def unlocks(count: int) -> str:
    """Return how many tasks a verdict lets go on, in words; empty for none."""
    return f"unlocks {plural(count, 'task')}" if count else ""


def title_in_other_script(task: Task, terminal: TerminalStyle) -> str:
    """Return a title that its id cannot show, cut to one short line; empty for others."""
    if not is_foreign(task.title):
        return ""
    title = " ".join(terminal.clean(task.title).split())
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}{terminal.ellipsis}"


def with_title(text: str, task: Task, terminal: TerminalStyle) -> str:
    """Return what the last column of a board says about a task, after a title that its id cannot show."""
    return terminal.dot.join(part for part in (title_in_other_script(task, terminal), text) if part)


def sentence(verb: str, reason: str) -> str:
    """Return a next step as one text."""
    return f"{verb}: {reason}" if verb and reason else verb or reason


def rival_verdict(task: Task, tasks: Mapping[TaskId, Task]) -> str:
    """Return a rival's number and what the referee says of it; empty without rivals, or once one is picked."""
    group = rivals.rivals_of(task, tasks.values())
    if task.spec.rival is None or rivals.is_decided(group):
        return ""
    place = f"rival {task.spec.rival.number} of {task.spec.rival.of}"
    verdict = rivals.verdict_of(task, group) if group else ""
    return f"{place}, {verdict}" if verdict else place


def _review_reason(task: Task, tasks: Mapping[TaskId, Task]) -> str:
    reasons = [STALE] if task.stale else []
    if verdict := rival_verdict(task, tasks):
        reasons.insert(0, verdict)
    if failed := [result.name for result in task.results if not result.passed]:
        reasons.append(f"checks failed: {', '.join(failed)}")
    elif not task.results:
        reasons.append(NOT_CHECKED)
    if task.reason and not task.reason.startswith("checks failed"):
        reasons.append(task.full_reason)
    if task.restack_words:
        reasons.append(task.restack_words)
    return "; ".join(reasons)


def _pause_reason(task: Task, now: datetime) -> str:
    assert task.wake is not None
    reason = task.reason.partition("; goes on at")[0]
    return f"resumes at {clock(task.wake, now)}" + (f": {reason}" if reason else "")


def _queue_reason(task: Task, tasks: Mapping[TaskId, Task]) -> str:
    parts = []
    if is_sent_back(task):
        is_asked = task.before_questions is not None
        what = "question" if is_asked else "comment"
        parts.append(f"{'asks' if is_asked else 'sent back with'} {plural(len(task.comments), what)}")
    if task.reason and not (parts and task.reason == "sent back"):
        parts.append(task.full_reason)
    if names := blockers(task.spec.after, tasks):
        parts.append(f"after {', '.join(names)}")
    return "; ".join(parts)


def blockers(after: Sequence[TaskId], tasks: Mapping[TaskId, Task]) -> list[str]:
    """Return what a task waits for, with the state of what needs a person to go on."""
    names = []
    for name in after:
        if name in tasks and graph.is_unpicked(tasks[name]):
            names.append(f"{name} (one of its rivals has to be picked)")
        elif name in tasks and tasks[name].state not in DONE:
            is_stuck = bucket(tasks[name]) in (Bucket.FIX, Bucket.DROPPED)
            names.append(f"{name} ({tasks[name].state})" if is_stuck else name)
    return names


_PHASES = {Phase.PREPARING: "preparing the worktree", Phase.WORKING: "working", Phase.CHECKING: "running checks"}


def progress(task: Task) -> str:
    """Return how far a running attempt has come."""
    attempt = task.attempt
    if attempt is None:
        return ""
    if attempt.phase is Phase.WORKING and attempt.round > 1:
        return f"fixing failed checks, round {attempt.round}"
    return _PHASES.get(attempt.phase, "ended")


def priority(task: Task) -> str:
    """Return a task's priority where it is worth a word."""
    return priority_label(task.spec.priority)


def priority_label(level: Priority) -> str:
    """Return a priority where it is worth a word."""
    return "" if level is Priority.NORMAL else f"{level} priority"
