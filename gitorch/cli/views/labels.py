"""Words and marks of the command line: whose turn a task is, and durations, costs and times as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from gitorch.cli.terminal.layout import Look, Piece
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import DONE, Attempt, CheckResult, Phase, Priority, State, Task

Change = tuple[int, int]
"""Lines that a branch adds and removes."""


class Turn(StrEnum):
    """Whose turn a task is, in the order in which a person wants to know; the value is how they are counted."""

    REVIEW = "to review"
    RESOLVE = "in conflict"
    ANSWER = "with a question"
    MEND = "failed"
    RUNNING = "running"
    PAUSED = "waiting for a limit"
    MERGE = "to merge"
    QUEUED = "queued"
    MERGED = "merged"
    DROPPED = "dropped"


YOURS = (Turn.REVIEW, Turn.RESOLVE, Turn.ANSWER, Turn.MEND)
OVER = (Turn.MERGED, Turn.DROPPED)

_MARKS: dict[Turn, tuple[str, str, str]] = {
    Turn.REVIEW: ("❯", ">", "bold cyan"),  # noqa: RUF001
    Turn.RESOLVE: ("≠", "!", "bold red"),
    Turn.ANSWER: ("?", "?", "bold yellow"),
    Turn.MEND: ("✗", "x", "bold red"),
    Turn.RUNNING: ("▶", "*", "blue"),
    Turn.PAUSED: ("◔", "~", "yellow"),
    Turn.MERGE: ("✓", "+", "green"),
    Turn.QUEUED: ("·", ".", ""),
    Turn.MERGED: ("●", "=", "green"),
    Turn.DROPPED: ("–", "-", "dim"),  # noqa: RUF001
}


def turn(task: Task) -> Turn:
    """Return whose turn a task is."""
    match task.state:
        case State.FINISHED:
            return Turn.REVIEW
        case State.CONFLICTED:
            return Turn.RESOLVE
        case State.WAITING:
            return Turn.PAUSED if task.wake else Turn.ANSWER
        case State.FAILED:
            return Turn.MEND
        case State.RUNNING:
            return Turn.RUNNING
        case State.APPROVED:
            return Turn.MERGE
        case State.QUEUED:
            return Turn.QUEUED
        case State.MERGED:
            return Turn.MERGED
        case State.REJECTED | State.CANCELLED:
            return Turn.DROPPED


def style(of: Turn) -> str:
    """Return the style of a turn."""
    return _MARKS[of][2]


def mark(task: Task, look: Look) -> Piece:
    """Return the symbol of a task's state."""
    if is_sent_back(task):
        return look.pick("↺", "<"), "yellow"
    symbol, plain, styled = _MARKS[turn(task)]
    return look.pick(symbol, plain), styled


def is_sent_back(task: Task) -> bool:
    """Tell whether a task is queued again because a reviewer wants changes."""
    return task.state is State.QUEUED and bool(task.comments)


def duration(seconds: float) -> str:
    """Return a duration: `0.4s`, `43s`, `41m51s`, `5h08m`, `2d03h`."""
    if seconds < 1:
        return f"{max(seconds, 0.0):.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def took(last: Attempt | None, now: datetime) -> str:
    """Return how long an attempt took, or has been going on."""
    if last is None:
        return ""
    if last.phase is not Phase.ENDED and last.started is not None:
        return duration(max(1.0, (now - last.started).total_seconds()))
    return "" if last.seconds is None else duration(last.seconds)


def cost(usage: Usage | None) -> str:
    """Return what was spent in dollars, or in tokens where the agent tells no price."""
    if usage is None:
        return ""
    if usage.usd is not None:
        return dollars(usage.usd)
    total = usage.input_tokens + usage.output_tokens
    return f"{count(total)} tok" if total else ""


def dollars(usd: float) -> str:
    """Return an amount of dollars; one that would round to nothing says so."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:.2f}"


def count(number: int) -> str:
    """Return a large number shortly: `950`, `12k`, `1.2M`."""
    if number < 1_000:
        return str(number)
    return f"{number / 1_000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.1f}M"


def size(number: int) -> str:
    """Return a number of bytes: `640 MB`."""
    for unit in ("B", "kB", "MB"):
        if number < 1_000:
            return f"{number:.0f} {unit}"
        number = round(number / 1_000)
    return f"{number / 1_000:.1f} TB" if number >= 1_000 else f"{number} GB"


def age(when: datetime, now: datetime) -> str:
    """Return how long ago something was: `just now`, `12m ago`, `3h ago`, `2d ago`."""
    seconds = int((now - when).total_seconds())
    if seconds < 60:
        return "just now"
    for length, unit in ((86400, "d"), (3600, "h")):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds // 60}m ago"


def clock(when: datetime, now: datetime) -> str:
    """Return a point in time in the zone of `now`: `01:00` today, `Fri 01:00` within a week, or a date."""
    local = when.astimezone(now.tzinfo)
    days = abs((local.date() - now.date()).days)
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if days < 7 else f"{local:%Y-%m-%d %H:%M}"


def lines_changed(change: Change | None) -> str:
    """Return the size of a diff: `+120 -4`; nothing where it is not known."""
    return "" if change is None else f"+{change[0]} -{change[1]}"


def checks(task: Task, look: Look) -> Piece:
    """Return how many checks passed; that none judged finished work is said in words."""
    if not task.results:
        return ("none", "red") if task.state in DONE else ("", "")
    passed = sum(result.passed for result in task.results)
    good = passed == len(task.results)
    symbol = look.pick("✓", "ok") if good else look.pick("✗", "x")
    return f"{symbol} {passed}/{len(task.results)}", "green" if good else "red"


def checks_passed(task: Task) -> str:
    """Return how many checks passed, in words; nothing where there is nothing to check yet."""
    if not task.results:
        return "checks none" if task.state in DONE else ""
    return f"checks {sum(result.passed for result in task.results)}/{len(task.results)}"


def verdict(result: CheckResult) -> str:
    """Return in words how a check ended."""
    if result.exit_code is None:
        return "could not be run to its end"
    return "passed" if result.passed else f"exit code {result.exit_code}"


def step(task: Task, tasks: Mapping[TaskId, Task], now: datetime, activity: str = "") -> tuple[str, str]:
    """Return what happens next with a task: the verb (a command's name, where it is the user's turn), and why."""
    match turn(task):
        case Turn.REVIEW:
            return "review", _reviewed(task)
        case Turn.RESOLVE:
            return "retry", task.reason or "conflicts with what is merged"
        case Turn.ANSWER:
            return "answer", task.reason or "the agent asked a question"
        case Turn.MEND:
            return "retry", task.reason or "no reason was told"
        case Turn.RUNNING:
            return "", activity or doing(task)
        case Turn.PAUSED:
            return "", _paused(task, now)
        case Turn.MERGE:
            return "merge", _STALE if task.stale else ""
        case Turn.QUEUED:
            return "", _queued(task, tasks)
        case Turn.MERGED:
            return "", f"as {task.merged_as[:7]}" if task.merged_as else ""
        case Turn.DROPPED:
            return "", task.reason


_STALE = "stale, what it builds on has changed"


def _reviewed(task: Task) -> str:
    reasons = [_STALE] if task.stale else []
    if failed := [result.name for result in task.results if not result.passed]:
        reasons.append(f"checks failed: {', '.join(failed)}")
    elif not task.results:
        reasons.append("no check judged it")
    if task.reason and not task.reason.startswith("checks failed"):
        reasons.append(task.reason)
    return "; ".join(reasons)


def _paused(task: Task, now: datetime) -> str:
    assert task.wake is not None
    why = task.reason.partition("; goes on at")[0]
    return f"goes on at {clock(task.wake, now)}" + (f": {why}" if why else "")


def _queued(task: Task, tasks: Mapping[TaskId, Task]) -> str:
    parts = []
    if is_sent_back(task):
        parts.append(f"sent back with {plural(len(task.comments), 'comment')}")
    if task.reason and not (parts and task.reason == "sent back"):
        parts.append(task.reason)
    if waited := blockers(task.spec.after, tasks):
        parts.append(f"after {', '.join(waited)}")
    return "; ".join(parts)


def blockers(after: Sequence[TaskId], tasks: Mapping[TaskId, Task]) -> list[str]:
    """Return what a task waits for, with the state of what will not come by itself."""
    names = []
    for name in after:
        if name in tasks and tasks[name].state not in DONE:
            stuck = turn(tasks[name]) in (Turn.MEND, Turn.DROPPED)
            names.append(f"{name} ({tasks[name].state})" if stuck else name)
    return names


def doing(task: Task) -> str:
    """Return how far a running attempt has come."""
    last = task.attempt
    if last is None:
        return ""
    if last.phase is Phase.WORKING and last.round > 1:
        return f"mends what its checks found, round {last.round}"
    return {Phase.PREPARING: "prepares its worktree", Phase.WORKING: "works", Phase.CHECKING: "is being checked"}.get(
        last.phase, "has ended"
    )


def priority(task: Task) -> str:
    """Return a priority that is worth a word."""
    return of_priority(task.spec.priority)


def of_priority(of: Priority) -> str:
    """Return a priority that is worth a word."""
    return "" if of is Priority.NORMAL else f"{of} priority"


def plural(number: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
