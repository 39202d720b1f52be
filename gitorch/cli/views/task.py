"""The page of one task: what was asked, who did it, what came of it, and what can be done next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.filesize import decimal
from rich.text import Text

from gitorch.cli.terminal.blocks import block, commands, fields, prose, section, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.views import forecast, foreign_changes, labels, quantities
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.resolutions import resolution_of
from gitorch.cli.views.reviewing import rivals
from gitorch.cli.views.reviewing.review import check_table, comment_list, title_lines
from gitorch.cli.views.status import PROGRAM
from gitorch.model import alarms
from gitorch.model.forecasts.conflict_forecast import Conflict
from gitorch.model.naming import TaskId
from gitorch.model.outcome import AttemptOutcome, Usage
from gitorch.model.resolution import Resolution
from gitorch.model.task import Attempt, Task
from gitorch.storage.foreign_changes import ForeignChange


def task_page(
    task: Task,
    tasks: Mapping[TaskId, Task] | None = None,
    *,
    conflicts: Sequence[Conflict] = (),
    resolutions: Sequence[Resolution] = (),
    moved: Sequence[ForeignChange] = (),
    by_hand: str = "",
    disk: tuple[int | None, int | None] = (0, 0),
    removal: str = "",
    more: Sequence[tuple[str, RenderableType | None]] = (),
    terminal: TerminalStyle | None = None,
    now: datetime | None = None,
) -> RenderableType:
    """Return everything about one task; `removal` says when it left the board, `more` are fields to add.

    `disk`: bytes of its worktree and of its room; None is unknown.
    """
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    tasks = tasks or {}
    details = [
        ("Next", _next_step(task, tasks, terminal, now) if not removal else None),
        ("Removed", block(removal, terminal, "yellow")),
        *_request(task, tasks, terminal, now),
        ("Attempt", _attempt(task.attempt, [change.what for change in moved], terminal, now)),
        ("Earlier", _past(task, terminal, now)),
        *_outcome(task, terminal),
        ("Rivals", rivals.comparison(task, tasks, terminal, now)),
        ("Moved", foreign_changes.of_task(moved, terminal)),
        ("Conflicts", forecast.conflicts_of(conflicts, task.id, terminal)),
        ("Proposal", resolution_of(resolutions, task.id, terminal)),
        ("Answers", comment_list(task.answered, terminal)),
        ("Comments", comment_list(task.comments, terminal)),
        ("Branch", _branch(task, terminal, has_worktree=bool(task.worktree) and not removal)),
        ("By hand", block(by_hand, terminal, "yellow")),
        ("Disk", _disk(*disk)),
        *more,
    ]
    hints = _past_commands(task, is_short=not more) if removal else _commands(task)
    title = title_lines(task.title, terminal)
    return stack(
        [
            *(_head(task, terminal), *title, Text(""), fields(details)),
            *section(terminal, commands(hints, terminal)),
        ]
    )


_Field = tuple[str, RenderableType | None]


def _head(task: Task, terminal: TerminalStyle) -> Text:
    symbol, style = labels.mark(task, terminal)
    state = f"{task.state}, stale" if task.stale else f"{task.state}"
    return prose(
        (f"{symbol} ", style), (terminal.clean(task.id), "bold"), (f"  #{task.number}  ", "dim"), (state, style)
    )


def _request(task: Task, tasks: Mapping[TaskId, Task], terminal: TerminalStyle, now: datetime) -> tuple[_Field, ...]:
    """Return what was asked."""
    criteria = "\n".join(f"- {criterion}" for criterion in task.spec.acceptance)
    return (
        ("Options", block(_options(task, terminal, now), terminal)),
        ("After", block(_dependencies(task, tasks), terminal)),
        ("Goal", block(task.spec.goal, terminal)),
        ("Prompt", block(task.spec.prompt, terminal)),
        ("Done when", block(criteria, terminal)),
    )


def _outcome(task: Task, terminal: TerminalStyle) -> tuple[_Field, ...]:
    """Return what the attempts cost, and what the agent and the checks say of the last one."""
    cost = f"{labels.costs(task.usages)} in {plural(task.attempts, 'attempt')}" if task.past and task.usages else ""
    return (
        ("Cost", block(cost, terminal)),
        ("Agent", block(task.attempt.summary if task.attempt else "", terminal)),
        ("Checks", check_table(task, terminal)),
    )


def _next_step(
    task: Task, tasks: Mapping[TaskId, Task], terminal: TerminalStyle, now: datetime
) -> RenderableType | None:
    text = labels.sentence(*labels.next_step(task, tasks, now))
    return block(text, terminal, "red" if labels.needs_attention(task) else "")


def _options(task: Task, terminal: TerminalStyle, now: datetime) -> str:
    parts = [
        quantities.age(task.spec.created, now) if task.spec.created else "",
        f"agent {task.spec.agent or 'auto'}",
        f"role {task.spec.role or 'auto'}" + (f" ({task.spec.role_reason})" if task.spec.role_reason else ""),
        labels.priority(task),
        f"base {task.spec.base_ref}" if task.spec.base_ref else "",
        f"budget {quantities.dollars(task.spec.budget)}" if task.spec.budget else "",
        f"timeout {quantities.duration(task.spec.timeout)}" if task.spec.timeout else "",
        f"paths {', '.join(task.spec.paths)}" if task.spec.paths else "",
        "adopted branch" if task.adopted else "",
    ]
    return terminal.dot.join(part for part in parts if part)


def _dependencies(task: Task, tasks: Mapping[TaskId, Task]) -> str:
    return ", ".join(f"{name} ({tasks[name].state})" if name in tasks else name for name in task.spec.after)


def _attempt(
    attempt: Attempt | None, moved: Sequence[str], terminal: TerminalStyle, now: datetime
) -> RenderableType | None:
    if attempt is None:
        return None
    parts = [
        f"{attempt.number} by {attempt.agent}",
        f"instead of {attempt.instead_of}, which had reached its limit" if attempt.instead_of else "",
        f"started {quantities.clock(attempt.started, now)}" if attempt.started else "",
        labels.took(attempt, now),
        f"round {attempt.round}" if attempt.round > 1 else "",
        "session resumed" if attempt.resumed else "",
        attempt.outcome or attempt.ending or str(attempt.phase),
    ]
    lines = [block(terminal.dot.join(part for part in parts if part), terminal)]
    lines += [block(_usage(attempt.usage, terminal), terminal)] if attempt.usage else []
    lines += [prose((terminal.clean(alarms.describe(alarm, moved)), "yellow")) for alarm in attempt.alarms]
    lines += [prose((f"denied: {terminal.clean(denial)}", "dim")) for denial in attempt.denials]
    return stack(lines)


def _past(task: Task, terminal: TerminalStyle, now: datetime) -> RenderableType | None:
    """Return the attempts before the last one: who, when, how it ended, and what it cost."""
    lines = [
        [
            f"{attempt.number} by {attempt.agent}",
            f"started {quantities.clock(attempt.started, now)}" if attempt.started else "",
            quantities.duration(attempt.seconds) if attempt.seconds is not None else "",
            attempt.outcome,
            _usage(attempt.usage, terminal) if attempt.usage else "",
        ]
        for attempt in task.past
    ]
    texts = [block(terminal.dot.join(part for part in line if part), terminal) for line in lines]
    return stack(texts) if texts else None


def _usage(usage: Usage, terminal: TerminalStyle) -> str:
    price = quantities.dollars(usage.usd) if usage.usd is not None else "price unknown"
    turns = [plural(usage.turns, "turn")] if usage.turns else []
    return terminal.dot.join([price, quantities.tokens(usage), *turns])


def _branch(task: Task, terminal: TerminalStyle, *, has_worktree: bool) -> RenderableType | None:
    if not task.branch:
        return None
    commits = f"  {(task.base or '?')[:7]}..{task.tip[:7]}" if task.tip else "  no commits yet"
    return stack(
        [
            prose(terminal.clean(task.branch), (commits, "dim")),
            prose((terminal.clean(task.worktree), "dim")) if has_worktree else None,
            prose((f"merged as {task.merged_as[:7]}", "green")) if task.merged_as else None,
        ]
    )


def _disk(worktree: int | None, room: int | None) -> RenderableType | None:
    """Return what a task takes on the disk, where it is worth a line."""
    if worktree is not None and room is not None and worktree + room < _LARGE:
        return None
    words = ["too many files to count" if size is None else decimal(size) for size in (worktree, room)]
    return prose(f"worktree {words[0]}, room {words[1]}")


_LARGE = 100_000_000
_COMMANDS: Mapping[Bucket, tuple[tuple[str, str], ...]] = {
    Bucket.REVIEW: (("review", "review the changes"), ("diff", "show the diff")),
    Bucket.RESOLVE: (("retry", "new attempt on top of the conflicting work"), ("diff", "show the diff")),
    Bucket.ANSWER: (("resume", "answer it"), ("log", "see what led to it"), ("retry", "start over")),
    Bucket.READ: (("resume", "ask more"), ("log", "see what led to it"), ("kill", "done with it")),
    Bucket.FIX: (("log", "see why it failed"), ("retry", "start a new attempt")),
    Bucket.RUNNING: (("log", "follow the agent"), ("kill", "stop it and keep its work")),
    Bucket.PAUSED: (("log", "read the log"), ("kill", "stop waiting")),
    Bucket.MERGE: (("merge", "merge into the integration branch"), ("diff", "show the diff")),
    Bucket.QUEUED: (),
    Bucket.MERGED: (("log", "read the log"),),
    Bucket.DROPPED: (("retry", "start a new attempt"),),
}


_RESUMABLE = (
    AttemptOutcome.CANCELLED,
    AttemptOutcome.TIMED_OUT,
    AttemptOutcome.STALLED,
    AttemptOutcome.OUT_OF_BUDGET,
    AttemptOutcome.LIMITED,
)


def _past_commands(task: Task, *, is_short: bool) -> list[tuple[str, str]]:
    verbs = [("history", "its verdicts, commits and refs")] if is_short else [("log", "read the log")]
    return [(f"{PROGRAM} {verb} {task.id}", purpose) for verb, purpose in (*verbs, ("diff", "show the diff"))]


def _commands(task: Task) -> list[tuple[str, str]]:
    bucket = labels.bucket(task)
    verbs = [*_COMMANDS[bucket]]
    if bucket in (Bucket.FIX, Bucket.DROPPED) and task.attempt and task.attempt.outcome in _RESUMABLE:
        verbs.insert(0, ("resume", "go on where it stopped"))
    if bucket is Bucket.FIX and task.tip and task.comments:  # `retry` would start over
        verbs.append(("revise", "go on with its branch, with your words"))
    message = ' -m "..."' if bucket in (Bucket.ANSWER, Bucket.READ) else ""
    hints = [(f"{PROGRAM} {verb} {task.id}{message * (verb == 'resume')}", purpose) for verb, purpose in verbs]
    return hints or [(f"{PROGRAM} run", "work through the queue")]
