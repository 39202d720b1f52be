"""The page of `status`: what needs your attention, what is running, what is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, commands, fitted, prose, section, stack, warning
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import forecast, foreign_changes, labels, quantities
from gitorch.cli.views.groups import grouped, total_cost
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.takeovers import takeover_lines
from gitorch.model.forecasts.conflict_forecast import IN_FLIGHT, Candidate, Conflict, RemovedName
from gitorch.model.naming import TaskId, is_foreign, slug
from gitorch.model.task import State, Task, change
from gitorch.storage.foreign_changes import ForeignChange

PROGRAM = "orchestrate"
NARROW = 60
ROWS = 38
_MIN_ROWS = 3
_MAX_DONE_ROWS = 5
_LARGE = 1_000_000_000
"""Bytes on the disk from which a task's size is shown."""


class StatusBoard(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` shows: the tasks, and what is true of all of them.

    `repository` is its name, `run_start` is when the active run starts tasks, `tip` is the integration branch's commit,
    `sandbox` what confines agents. `diffs` are by task id; `conflicts`, `removed_names` and `candidate` are the
    forecast of the merge, `moved` is what changed during runs and not by gitorch, `by_hand` what people added to the
    branches of tasks.
    """

    tasks: Collection[Task]
    repository: str = ""
    integration: str = ""
    tip: str | None = None
    running: bool = False
    run_start: datetime | None = None
    sandbox: str = ""
    warnings: Sequence[str] = ()
    moved: Sequence[ForeignChange] = ()
    diffs: Mapping[TaskId, labels.LineCounts] = {}
    conflicts: Sequence[Conflict] = ()
    removed_names: Sequence[RemovedName] = ()
    candidate: Candidate | None = None
    by_hand: Mapping[TaskId, str] = {}


class _Facts(NamedTuple):
    """What the rows show besides the task file."""

    tasks: Mapping[TaskId, Task]
    unlocks: Mapping[TaskId, int]
    diffs: Mapping[TaskId, labels.LineCounts]
    conflicts: Mapping[TaskId, str]
    by_hand: Mapping[TaskId, str]
    now: datetime


_COLUMNS = (
    Column(title=""),
    Column(title="Task", shrink=20),
    Column(title="State", drop=4),
    Column(title="Attempt", right=True, drop=6),
    Column(title="Took", right=True, drop=5),
    Column(title="Diff", right=True, drop=2),
    Column(title="Checks", drop=1),
    Column(title="Cost", right=True, drop=3),
    Column(title="Next"),
)

_SECTIONS: tuple[tuple[str, tuple[Bucket, ...]], ...] = (
    ("Needs you", labels.NEEDS_YOU),
    ("Running", (Bucket.RUNNING,)),
    ("Rate-limited", (Bucket.PAUSED,)),
    ("Approved", (Bucket.MERGE,)),
    ("Queued", (Bucket.QUEUED,)),
    ("Done", labels.DONE_BUCKETS),
)


def status(
    board: StatusBoard, *, show_all: bool = False, terminal: TerminalStyle | None = None, now: datetime | None = None
) -> RenderableType:
    """Return the tasks by what they need: first what waits for the user, then what is running, then what is done.

    Without `show_all`, only the number of the last tasks of a long group is shown. Times are in the zone of `now`.
    """
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    by_id: dict[TaskId, Task] = {task.id: task for task in board.tasks}
    top = [*_header_lines(board, terminal, now), *(warning(text, terminal) for text in board.warnings)]
    top += section(terminal, *foreign_changes.changes(board.moved, terminal, show_all=show_all))
    unlocks = labels.unlock_counts(by_id)
    groups = _with_changed_branches(grouped(by_id.values(), unlocks), board.by_hand)
    if not groups:
        return stack([*top, *section(terminal, Text("no tasks yet")), commands(_FIRST_COMMANDS, terminal)])
    facts = _Facts(by_id, unlocks, board.diffs, forecast.marks(board.conflicts), board.by_hand, now)
    outlook = (
        *forecast.conflict_lines(board.conflicts, terminal),
        *forecast.removed_name_lines(board.removed_names, terminal),
        *takeover_lines(by_id.values(), terminal),
        *forecast.candidate_lines(board.candidate, terminal, board.conflicts),
    )
    hints = commands(_next_commands(groups, board.candidate, running=board.running), terminal)
    rows = (_summary(groups, facts, terminal), *_tasks(groups, facts, terminal, show_all))
    return stack([*top, *rows, *section(terminal, *outlook), *section(terminal, hints)])


def _with_changed_branches(
    groups: Mapping[Bucket, list[Task]], by_hand: Mapping[TaskId, str]
) -> dict[Bucket, list[Task]]:
    """Return the groups with the approved and conflicted tasks that were changed by hand among those to review."""
    regrouped = dict(groups)
    for bucket in (Bucket.MERGE, Bucket.RESOLVE):
        group = groups.get(bucket, [])
        regrouped[bucket] = [task for task in group if task.id not in by_hand]
        changed = [task for task in group if task.id in by_hand]
        regrouped[Bucket.REVIEW] = [*regrouped.get(Bucket.REVIEW, []), *changed]
    return {bucket: regrouped[bucket] for bucket in Bucket if regrouped.get(bucket)}


def _tasks(
    groups: Mapping[Bucket, Sequence[Task]], facts: _Facts, terminal: TerminalStyle, show_all: bool
) -> list[RenderableType]:
    limits = {bucket: len(group) for bucket, group in groups.items()} if show_all else shares(groups, ROWS)
    layout = _task_pairs if terminal.width is not None and terminal.width < NARROW else _task_table
    return section(terminal, layout(groups, limits, facts, terminal))


def shares(groups: Mapping[Bucket, Sequence[Task]], rows: int) -> dict[Bucket, int]:
    """Divide rows among groups: a few for each, the rest to the first ones; of what is done only the latest."""
    sizes = {
        bucket: min(len(group), _MAX_DONE_ROWS if bucket in labels.DONE_BUCKETS else rows)
        for bucket, group in groups.items()
    }
    limits = {bucket: min(size, _MIN_ROWS) for bucket, size in sizes.items()}
    free = rows - sum(limits.values())
    for bucket, size in sizes.items():
        extra = min(size - limits[bucket], max(free, 0))
        limits[bucket] += extra
        free -= extra
    # a line that says "1 more" could as well be that one
    return {bucket: limit + (len(groups[bucket]) - limit == 1) for bucket, limit in limits.items()}


def _run_words(board: StatusBoard, now: datetime) -> str:
    """Return whether a run is active, and when it begins if it still waits for that."""
    if not board.running:
        return ""
    start = board.run_start
    return f"run starts at {quantities.clock(start, now)}" if start and start > now else "run in progress"


def _header_lines(board: StatusBoard, terminal: TerminalStyle, now: datetime) -> list[RenderableType]:
    tip = f"at {board.tip[:7]}" if board.tip else "(nothing merged yet)"
    parts: list[Span] = [
        (terminal.clean(board.repository), "bold"),
        (f"{terminal.clean(board.integration)} {tip}" if board.integration else "", ""),
        (_run_words(board, now), "blue"),
        (board.sandbox, "dim"),
    ]
    texts = [Text(*part) for part in parts if part[0]]
    return [prose(Text("   ").join(texts))] if texts else []


_FIRST_COMMANDS = (
    (f'{PROGRAM} submit "what to do"', "queue your first task"),
    (f"{PROGRAM} demo", "try it with scripted agents"),
)


def _row(task: Task, facts: _Facts, terminal: TerminalStyle) -> Row:
    is_outdated = task.state is State.APPROVED and task.id in facts.by_hand
    checked = change(task, results=()) if is_outdated else task
    return [
        labels.mark(task, terminal),
        (terminal.clean(task.id), "bold" if labels.bucket(task) in labels.NEEDS_YOU else ""),
        (f"{task.state}", labels.bucket_style(labels.bucket(task))),
        (str(task.attempts) if task.attempts else "", ""),
        (labels.took(task.attempt, facts.now), ""),
        (labels.lines_changed(facts.diffs.get(task.id)), ""),
        labels.checks(checked, terminal),
        (labels.costs(task.usages), ""),
        _next_cell(task, facts, terminal),
    ]


def _next_cell(task: Task, facts: _Facts, terminal: TerminalStyle) -> Span:
    verb, reason = labels.next_step(task, facts.tasks, facts.now)
    priority = "" if task.attempts else labels.priority(task)
    conflict = "" if task.state is State.CONFLICTED else facts.conflicts.get(task.id, "")
    by_hand = facts.by_hand.get(task.id, "")
    if by_hand and task.state in (State.CONFLICTED, State.APPROVED):
        verb = "review"
    if by_hand and task.state is State.CONFLICTED:
        reason = ""  # it is about the commits of before
    unlocks = labels.unlocks(facts.unlocks.get(task.id, 0))
    parts = (priority, unlocks, by_hand, reason, conflict, _large(task), _title(task))
    text = terminal.clean("; ".join(part for part in parts if part))
    return labels.with_title(labels.sentence(verb, text), task, terminal), _next_style(task, reason)


def _large(task: Task) -> str:
    """Return what a task takes on the disk, where that is much."""
    used = task.attempt.disk if task.attempt and task.worktree else None
    return f"{quantities.size(used)} on the disk" if used and used >= _LARGE else ""


def _title(task: Task) -> str:
    """Return the title of a task that waits for a person, unless its name says as much, or it is shown anyway."""
    is_named = is_foreign(task.title) or slug(task.title) == task.id
    return "" if is_named or labels.bucket(task) not in (Bucket.REVIEW, Bucket.MERGE) else task.title


def _next_style(task: Task, reason: str) -> str:
    if labels.needs_attention(task) or labels.NOT_CHECKED in reason:
        return "red"
    is_blocked = labels.bucket(task) is Bucket.QUEUED and ("(" in reason or task.reason)
    return "yellow" if is_blocked or task.stale or labels.bucket(task) is Bucket.ANSWER else ""


_Groups = Mapping[Bucket, Sequence[Task]]
_Limits = Mapping[Bucket, int]


def _task_table(groups: _Groups, limits: _Limits, facts: _Facts, terminal: TerminalStyle) -> RenderableType:
    """Return all tasks in one table, under the headings of their sections where a person reads them."""
    rows: list[Row] = []
    for title, buckets in _SECTIONS:
        present = [bucket for bucket in buckets if bucket in groups]
        if present and terminal.width is not None:
            rows.append(_padded_row(("", ""), (title, "bold")))
        for bucket in present:
            rows += [_row(task, facts, terminal) for task in groups[bucket][: limits[bucket]]]
            if hidden := len(groups[bucket]) - limits[bucket]:
                rows.append(_hidden_row(bucket, hidden, terminal))
    return table(_COLUMNS, rows, terminal)


def _padded_row(*spans: Span, last: str = "") -> Row:
    empty = len(_COLUMNS) - len(spans) - 1
    return [*spans, *[("", "")] * empty, (last, "dim")]


def _hidden_row(bucket: Bucket, count: int, terminal: TerminalStyle) -> Row:
    show_all = f"show all: {PROGRAM} status --all"
    return _padded_row((terminal.ellipsis, "dim"), (f"{count} more", "dim"), (bucket, "dim"), last=show_all)


def _task_pairs(groups: _Groups, limits: _Limits, facts: _Facts, terminal: TerminalStyle) -> RenderableType:
    """Return two lines for each task, where the terminal is too narrow for columns."""
    lines: list[Text] = []
    for bucket, group in groups.items():
        for task in group[: limits[bucket]]:
            lines += _task_pair(_row(task, facts, terminal), terminal)
        if hidden := len(group) - limits[bucket]:
            lines.append(fitted((f"{terminal.ellipsis} {hidden} more {bucket}: {PROGRAM} status --all", "dim")))
    return Group(*lines)


def _task_pair(row: Row, terminal: TerminalStyle) -> tuple[Text, Text]:
    symbol, name, state, (attempt, _), *middle, (reason, style) = row
    facts = [f"attempt {attempt}" if attempt else "", *(text for text, _ in middle)]
    second = terminal.dot.join(part for part in (reason, *facts) if part)
    return fitted(symbol, " ", name, "  ", state), fitted("  ", (second, style if reason else "dim"))


_PREDICTED = IN_FLIGHT - {State.CONFLICTED}
_SUMMARY_STYLES = {
    Bucket.FIX: "bold red",
    Bucket.RESOLVE: "bold red",
    **dict.fromkeys((Bucket.REVIEW, Bucket.ANSWER, Bucket.READ), "bold"),
}


def _summary(groups: _Groups, facts: _Facts, terminal: TerminalStyle) -> RenderableType | None:
    """Return whose turn it is: the number of tasks in each bucket, until when they wait, and what they cost."""
    texts = [
        Text(f"{len(group)} {bucket}{_until(group, facts)}", _SUMMARY_STYLES.get(bucket, ""))
        for bucket, group in groups.items()
    ]
    if conflicting := [
        name for name in facts.conflicts if name in facts.tasks and facts.tasks[name].state in _PREDICTED
    ]:
        texts.append(Text(f"{len(conflicting)} will conflict", "bold red"))
    counts = Text(", ").join(texts)
    if cost := total_cost(facts.tasks.values()):
        counts.append(terminal.dot + cost, "dim")
    return bullets([((f"{plural(len(facts.tasks), 'task')}:", ""), prose(counts))])


def _until(group: Sequence[Task], facts: _Facts) -> str:
    """Return until when a group waits: the time at which its first task goes on."""
    times = [task.wake for task in group if task.wake and labels.bucket(task) is Bucket.PAUSED]
    return f" until {quantities.clock(min(times), facts.now)}" if times else ""


def _next_commands(
    groups: Mapping[Bucket, Sequence[Task]], candidate: Candidate | None, *, running: bool
) -> list[tuple[str, str]]:
    """Return the commands that the user can give now, the most urgent first."""
    hints = []
    if group := groups.get(Bucket.REVIEW):
        hints.append((f"{PROGRAM} review", f"{len(group)} to review"))
    if group := groups.get(Bucket.ANSWER):
        hints.append((f'{PROGRAM} resume {group[0].id} -m "..."', "answer the question"))
    if group := groups.get(Bucket.READ):
        hints.append((f"{PROGRAM} task {group[0].id}", "read the answer"))
    if group := groups.get(Bucket.RESOLVE):
        proven = {resolution.task for resolution in candidate.resolutions if resolution.proven} if candidate else set()
        if ready := [task for task in group if task.id in proven]:
            hints.append((f"{PROGRAM} merge --resolved", f"take {plural(len(ready), 'proven resolution')}"))
        hints.append((f"{PROGRAM} merge -n", f"show {plural(len(group), 'conflict')}"))
    if group := groups.get(Bucket.MERGE):
        left_out = [task for task in group if task.is_left_out]
        if len(group) > len(left_out):
            hints.append((f"{PROGRAM} merge", f"{len(group) - len(left_out)} approved"))
        if left_out:
            hints.append((f"{PROGRAM} revise {left_out[0].id}", "a check held it back in the last merge"))
    if group := groups.get(Bucket.FIX):
        hints.append((f"{PROGRAM} log {group[0].id}", "see why it failed"))
    if running:
        hints.append((f"{PROGRAM} watch", "watch the run"))
    elif group := (groups.get(Bucket.RUNNING) or groups.get(Bucket.QUEUED)):
        hints.append((f"{PROGRAM} run", f"start a run ({len(group)} {labels.bucket(group[0])})"))
    return hints[:3]
