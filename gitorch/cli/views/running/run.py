"""The pages of a run: the running agents, the forecast of the merge, and the summary at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, commands, prose, stack, warning
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.cli.views import forecast, foreign_changes, labels, quantities
from gitorch.cli.views.groups import grouped, total_cost
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.status import PROGRAM
from gitorch.cli.views.takeovers import takeover_lines
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict
from gitorch.model.task import Task
from gitorch.storage.foreign_changes import ForeignChange

_MACHINE_PLACE = 2
_AGENT_COLUMNS = (
    Column(title="Task"),
    Column(title="Agent"),
    Column(title="Attempt", right=True, drop=4),
    Column(title="Execution", drop=1),
    Column(title="Pid", right=True),
    Column(title="Running", right=True),
    Column(title="CPU", right=True, drop=3),
    Column(title="Memory", right=True, drop=2),
    Column(title="Seen", right=True),
    Column(title="Activity"),
)


def agents(
    rows: Iterable[Mapping[str, Any]], *, terminal: TerminalStyle | None = None, now: datetime | None = None
) -> RenderableType:
    """Return who is working now.

    A row holds `task`, `agent`, `attempt`, `doing`, `pid`, `started` (RFC 3339, or a datetime), `cpu_seconds`, `memory`
    (bytes), `machine`, `activity` and `last_output` (when it last wrote something); absent or None means unknown.
    """
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    rows = list(rows)
    if not rows:
        return Text("no agents running")
    cells = [_agent_row(row, terminal, now) for row in rows]
    if not any(row.get("machine") for row in rows):
        return table(_AGENT_COLUMNS, cells, terminal)
    machines = [(terminal.clean(str(row.get("machine") or "")), "") for row in rows]
    cells = [
        [*line[:_MACHINE_PLACE], machine, *line[_MACHINE_PLACE:]] for line, machine in zip(cells, machines, strict=True)
    ]
    columns = (*_AGENT_COLUMNS[:_MACHINE_PLACE], Column(title="Machine"), *_AGENT_COLUMNS[_MACHINE_PLACE:])
    return table(columns, cells, terminal)


def _agent_row(row: Mapping[str, Any], terminal: TerminalStyle, now: datetime) -> Row:
    since, last = _time(row.get("started")), _time(row.get("last_output"))
    seconds, memory = row.get("cpu_seconds"), row.get("memory")
    return [
        (terminal.clean(str(row["task"])), "bold"),
        (terminal.clean(str(row.get("agent") or "")), ""),
        (str(row.get("attempt") or ""), ""),
        (terminal.clean(str(row.get("doing") or "")), ""),
        (str(row.get("pid") or ""), ""),
        (quantities.duration((now - since).total_seconds()) if since else "", ""),
        ("" if seconds is None else quantities.duration(seconds), ""),
        ("" if memory is None else quantities.size(memory), ""),
        (quantities.age(last, now) if last else "", ""),
        (terminal.clean(str(row.get("activity") or "")), "dim"),
    ]


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None


def merge_forecast(
    conflicts: Sequence[Conflict], candidate: Candidate | None = None, *, terminal: TerminalStyle | None = None
) -> RenderableType | None:
    """Return the expected conflicts and the candidate; None if there are none."""
    terminal = terminal or stdout_style()
    parts = [*forecast.conflict_lines(conflicts, terminal), *forecast.candidate_lines(candidate, terminal)]
    return stack(parts) if parts else None


def run_summary(
    changed: Sequence[Task],
    stopped: str = "",
    seconds: float = 0.0,
    spent: float = 0.0,
    *,
    conflicts: Sequence[Conflict] = (),
    candidate: Candidate | None = None,
    troubles: Sequence[str] = (),
    moved: Sequence[ForeignChange] = (),
    terminal: TerminalStyle | None = None,
    now: datetime | None = None,
) -> RenderableType:
    """Return the result of a run, and the first commands of the morning. A run that finished nothing is shown in red.

    `spent` is what its attempts cost in dollars; the cost of earlier attempts of the same tasks is shown where it
    differs. `stopped` is the reason why the run ended early, `troubles` are warnings.
    """
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    groups = grouped(changed)
    mark, head = _outcome(groups, terminal)
    for fact in (quantities.duration(seconds), _cost(changed, spent)):
        head.append(terminal.dot + fact if fact else "", "dim")
    early = prose(("stopped early: ", "bold yellow"), (terminal.clean(stopped), "yellow"))
    return stack(
        [
            *(bullets([(mark, head)]), _problems(groups, terminal, now), _waiting(groups, terminal, now)),
            early if stopped else None,
            *takeover_lines(changed, terminal),
            *forecast.conflict_lines(conflicts, terminal),
            *forecast.candidate_lines(candidate, terminal, conflicts),
            *(warning(text, terminal) for text in troubles),
            *foreign_changes.changes(moved, terminal),
            commands(_next_commands(groups), terminal),
        ]
    )


_MAX_COMMANDS = 3
_MAX_WAITING = 6
_GOOD = (Bucket.REVIEW, Bucket.MERGE, Bucket.MERGED)


def _outcome(groups: Mapping[Bucket, Sequence[Task]], terminal: TerminalStyle) -> tuple[Span, Text]:
    """Return a mark and the counts of a run."""
    finished = sum(len(groups.get(bucket, ())) for bucket in _GOOD)
    problems = "".join(f", {len(group)} {bucket}" for bucket, group in groups.items() if bucket not in _GOOD)
    failure = (terminal.pick("✗", "x"), "bold red")
    if not groups:
        return failure, prose(("nothing ran: no task could start", "bold red"))
    if not finished:
        return failure, prose((f"no task finished{problems}", "bold red"))
    all_passed = not problems and all(task.passed for task in groups.get(Bucket.REVIEW, ()))
    mark = (terminal.pick("✓", "+"), "green") if all_passed else (terminal.pick("▲", "!"), "yellow")
    return mark, prose((f"{plural(finished, 'task')} finished", "bold"), problems)


def _problems(groups: Mapping[Bucket, Sequence[Task]], terminal: TerminalStyle, now: datetime) -> RenderableType | None:
    """Return the tasks that failed, fail their checks, or were not checked."""
    unproven = [task for task in groups.get(Bucket.REVIEW, ()) if task.passed is not True]
    return bullets(
        (
            (
                labels.mark(task, terminal),
                prose((terminal.clean(task.id), "bold"), "  ", (terminal.clean(_problem(task, now)), "red")),
            )
            for task in (*groups.get(Bucket.FIX, ()), *unproven)
        ),
        indent=2,
    )


def _waiting(groups: Mapping[Bucket, Sequence[Task]], terminal: TerminalStyle, now: datetime) -> RenderableType | None:
    """Return the tasks that wait for an answer or for a limit to end, and until when."""
    tasks = [*groups.get(Bucket.ANSWER, ()), *groups.get(Bucket.READ, ()), *groups.get(Bucket.PAUSED, ())]
    rows: list[tuple[Span, RenderableType]] = [
        (
            labels.mark(task, terminal),
            prose((terminal.clean(task.id), "bold"), "  ", (terminal.clean(_problem(task, now)), "yellow")),
        )
        for task in tasks[:_MAX_WAITING]
    ]
    if hidden := len(tasks) - len(rows):
        rows.append((("", ""), prose((f"and {hidden} more wait", "dim"))))
    return bullets(rows, indent=2)


def _cost(changed: Sequence[Task], spent: float) -> str:
    """Return what a run cost, and what all attempts of its tasks cost if that is something else."""
    run, all_attempts = quantities.dollars(spent) if spent else "", total_cost(changed)
    if not all_attempts or run == all_attempts:
        return run
    return f"{run}, {all_attempts} over all attempts" if run else f"{all_attempts} over all attempts"


def _problem(task: Task, now: datetime) -> str:
    _, reason = labels.next_step(task, {}, now)
    return reason


def _next_commands(groups: Mapping[Bucket, Sequence[Task]]) -> list[tuple[str, str]]:
    """Return the first commands of the morning: what others wait for goes first."""
    hints: list[tuple[str, str]] = []
    if group := groups.get(Bucket.ANSWER):
        hints.append((f'{PROGRAM} resume {group[0].id} -m "..."', "answer the question"))
    if group := groups.get(Bucket.READ):
        hints.append((f"{PROGRAM} task {group[0].id}", "read the answer"))
    if group := groups.get(Bucket.REVIEW):
        hints.append((f"{PROGRAM} review", f"{len(group)} of this run to review"))
    if group := groups.get(Bucket.RESOLVE):
        hints.append((f"{PROGRAM} retry {group[0].id}", "try again on top of the merged work"))
    if group := groups.get(Bucket.FIX):
        hints.append((f"{PROGRAM} log {group[0].id}", "see why it failed"))
    if group := groups.get(Bucket.MERGE):
        hints.append((f"{PROGRAM} merge", f"{len(group)} approved"))
    if groups.get(Bucket.PAUSED) or groups.get(Bucket.QUEUED):
        # no count: tasks that never started wait too, and the reason why it ended early counts them
        hints.append((f"{PROGRAM} run", "go on with what is left"))
    return hints[:_MAX_COMMANDS] or [(f"{PROGRAM} status", "show all tasks")]
