"""Earlier runs, and tasks that have left the board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, commands, prose, section, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import labels, quantities, task
from gitorch.cli.views.reviewing.review import comment_list
from gitorch.cli.views.status import PROGRAM
from gitorch.model.outcome import Usage
from gitorch.model.task import State
from gitorch.services.past.past_runs import PastRun
from gitorch.services.past.past_tasks import PastTask
from gitorch.services.past.task_history import NotedVerdict, TaskHistory

_RUN_COLUMNS = (
    Column(title="Run"),
    Column(title="Took", right=True),
    Column(title="Cost", right=True),
    Column(title="Tasks"),
    Column(title="End"),
)

_TASK_COLUMNS = (
    Column(title="Task"),
    Column(title="State"),
    Column(title="Removed", drop=1),
    Column(title="Cost", right=True, drop=2),
    Column(title="Title"),
)

_BAD = (State.FAILED, State.CONFLICTED)


def history(
    runs: Sequence[PastRun],
    tasks: Sequence[PastTask],
    *,
    now: datetime | None = None,
    terminal: TerminalStyle | None = None,
) -> RenderableType | str:
    """Return the runs and the tasks that have left the board, latest first."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    if not (runs or tasks):
        return "no run has been recorded yet"
    parts: list[RenderableType] = []
    if runs:
        parts += [table(_RUN_COLUMNS, [_run_row(run, now, terminal) for run in runs], terminal)]
    if tasks:
        parts += section(terminal, table(_TASK_COLUMNS, [_task_row(past, now, terminal) for past in tasks], terminal))
        hint = (f"{PROGRAM} history {tasks[0].task.id}", "what was asked, done, judged and merged")
        parts += section(terminal, commands([hint], terminal))
    return stack(parts)


def _run_row(run: PastRun, now: datetime, terminal: TerminalStyle) -> Row:
    record = run.record
    counts = Counter(task.state for task in record.tasks)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    is_bad = any(counts[state] for state in _BAD)
    spent = labels.cost(record.usage) if record.usage != Usage() else ""
    return [
        (quantities.clock(record.started, now), ""),
        ("" if run.seconds is None else quantities.duration(run.seconds), ""),
        (spent, ""),
        (states or "nothing was done", "red" if is_bad or not states else ""),
        _end(run, terminal),
    ]


def _end(run: PastRun, terminal: TerminalStyle) -> Span:
    if run.is_active:
        return "running", "blue"
    if run.was_killed:
        return "killed", "red"
    if run.record.interrupted:
        return "interrupted", "yellow"
    return terminal.clean(run.record.stopped), "yellow"


def _task_row(past: PastTask, now: datetime, terminal: TerminalStyle) -> Row:
    of = past.task
    return [
        (terminal.clean(of.id), ""),
        (str(of.state), ""),
        (quantities.clock(past.removed, now) if past.removed else "", "dim"),
        (labels.costs(of.usages), ""),
        (" ".join(terminal.clean(of.title).split()), "dim"),
    ]


def task_history(
    history: TaskHistory, *, now: datetime | None = None, terminal: TerminalStyle | None = None
) -> RenderableType:
    """Return a task's page with what became of it: verdicts, commits, refs, logs."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    details = [
        ("Verdicts", _verdicts(history.verdicts, now, terminal)),
        ("Commits", _commits(history, terminal)),
        ("Kept at", _refs(history, terminal)),
        ("Logs", prose((terminal.clean(str(history.logs)), "dim")) if history.logs else None),
    ]
    removal = "" if history.on_board else _removal(history.removed, now)
    return task.task_page(history.task, terminal=terminal, now=now, removal=removal, more=details)


def task_page(past: PastTask) -> RenderableType:
    """Return the page of a task that has left the board."""
    now = datetime.now().astimezone()
    return task.task_page(past.task, now=now, removal=_removal(past.removed, now))


def _removal(removed: datetime | None, now: datetime) -> str:
    return f"cleaned up at {quantities.clock(removed, now)}" if removed else "known from its notes only"


def _verdicts(verdicts: Sequence[NotedVerdict], now: datetime, terminal: TerminalStyle) -> RenderableType | None:
    lines = []
    for verdict in verdicts:
        note = verdict.note
        head = [note.verdict, _when(note.time, now), f"by {note.reviewer}" if note.reviewer else ""]
        text = prose(terminal.clean(terminal.dot.join(filter(None, head))), (f"  {verdict.tip[:7]}", "dim"))
        lines.append(stack([text, comment_list(note.comments, terminal)]))
    return stack(lines) if lines else None


def _when(time: str, now: datetime) -> str:
    try:
        return quantities.clock(datetime.fromisoformat(time), now)
    except ValueError:
        return time


def _commits(history: TaskHistory, terminal: TerminalStyle) -> RenderableType | None:
    rows = []
    for commit in history.commits:
        merged = f"  merged as {commit.merged_as[:7]}" if commit.merged_as else ""
        rows.append(((commit.oid[:7], "yellow"), prose(terminal.clean(commit.subject), (merged, "green"))))
    return bullets(rows)


def _refs(history: TaskHistory, terminal: TerminalStyle) -> RenderableType | None:
    lines = [prose(terminal.clean(ref), (f"  {oid[:7]}", "dim")) for ref, oid in history.refs.items()]
    return stack(lines) if lines else Text("no ref", "dim")
