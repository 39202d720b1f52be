"""A run: who works now, what is known before the morning, and what is left when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gitorch.cli.terminal.layout import Column, Line, Look, flow, paint, table
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import forecast, labels
from gitorch.cli.views.labels import Turn, plural
from gitorch.cli.views.status import PROGRAM, commands, grouped
from gitorch.model.forecast import Candidate, Conflict
from gitorch.model.task import Task

_AGENT_COLUMNS = (
    Column(title="Task"),
    Column(title="Agent"),
    Column(title="Attempt", right=True, hide=4),
    Column(title="Doing", hide=1),
    Column(title="Pid", right=True),
    Column(title="Since", right=True),
    Column(title="CPU", right=True, hide=3),
    Column(title="Memory", right=True, hide=2),
    Column(title="Last seen"),
)


def agents(rows: Iterable[Mapping[str, Any]], *, look: Look | None = None, now: datetime | None = None) -> str:
    """Return who works now.

    A row holds `task`, `agent`, `attempt`, `doing`, `pid`, `started` (RFC 3339, or a datetime), `cpu_seconds`, `memory`
    (bytes) and `activity`; what is absent or None is not known.
    """
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    lines = [_agent_row(row, look, now) for row in rows]
    if not lines:
        return paint([[("No agent is running.", "")]], look)
    return paint(table(_AGENT_COLUMNS, lines, look), look)


def _agent_row(row: Mapping[str, Any], look: Look, now: datetime) -> list[tuple[str, str]]:
    started = row.get("started")
    since = datetime.fromisoformat(started) if isinstance(started, str) else started
    seconds, memory = row.get("cpu_seconds"), row.get("memory")
    return [
        (look.clean(str(row["task"])), "bold"),
        (look.clean(str(row.get("agent") or "")), ""),
        (str(row.get("attempt") or ""), ""),
        (look.clean(str(row.get("doing") or "")), ""),
        (str(row.get("pid") or ""), ""),
        (labels.duration((now - since).total_seconds()) if since else "", ""),
        ("" if seconds is None else labels.duration(seconds), ""),
        ("" if memory is None else labels.size(memory), ""),
        (look.clean(str(row.get("activity") or "")), "dim"),
    ]


def foreseen(conflicts: Sequence[Conflict], candidate: Candidate | None = None, *, look: Look | None = None) -> str:
    """Return what is known before the morning; empty where there is nothing to say."""
    look = look or of_stdout()
    lines = [*forecast.will_conflict(conflicts, look), *forecast.candidate(candidate, look)]
    return paint(lines, look) if lines else ""


def run_summary(
    changed: Sequence[Task],
    stopped: str = "",
    seconds: float = 0.0,
    spent: float = 0.0,
    *,
    conflicts: Sequence[Conflict] = (),
    candidate: Candidate | None = None,
    troubles: Sequence[str] = (),
    look: Look | None = None,
    now: datetime | None = None,
) -> str:
    """Return what a run leaves behind, and the next command. A night without any finished work is said in red."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    groups = grouped(changed)
    facts = [fact for fact in (labels.duration(seconds), labels.dollars(spent) if spent else "") if fact]
    head = [*_outcome(groups, look), (look.dot + look.dot.join(facts), "dim")]
    lines = [*flow(head, look), *_went_wrong(groups, look, now)]
    if stopped:
        lines.append([("stopped early: ", "bold yellow"), (look.clean(stopped), "yellow")])
    lines += [*forecast.will_conflict(conflicts, look), *forecast.candidate(candidate, look)]
    lines += [[("beside the run: ", "bold yellow"), (look.clean(text), "yellow")] for text in troubles]
    return paint([*lines, *commands(_after_run(groups), look)], look)


_DONE_WELL = (Turn.REVIEW, Turn.MERGE, Turn.MERGED)


def _outcome(groups: Mapping[Turn, Sequence[Task]], look: Look) -> Line:
    done = sum(len(groups.get(one, ())) for one in _DONE_WELL)
    others = [f"{len(group)} {one}" for one, group in groups.items() if one not in _DONE_WELL]
    if not groups:
        return [(f"{look.pick('✗', 'x')} Nothing was done: no task could start", "bold red")]
    if not done:
        return _listed(f"{look.pick('✗', 'x')} No task was finished", others, "bold red", "bold red")
    all_well = not others and all(task.passed for task in groups.get(Turn.REVIEW, ()))
    mark = (f"{look.pick('✓', '+')} ", "green") if all_well else (f"{look.pick('▲', '!')} ", "yellow")
    return [mark, *_listed(f"{plural(done, 'task')} finished", others, "bold", "")]


def _listed(first: str, others: Sequence[str], first_style: str, style: str) -> Line:
    parts = [(first, first_style), *((one, style) for one in others)]
    return [(f"{text}, " if at < len(others) else text, styled) for at, (text, styled) in enumerate(parts)]


def _went_wrong(groups: Mapping[Turn, Sequence[Task]], look: Look, now: datetime) -> list[Line]:
    """Name what failed, what fails its checks, and what no check judged."""
    finished = groups.get(Turn.REVIEW, ())
    wrong = [
        (task, labels.step(task, {}, now)[1])
        for task in (*groups.get(Turn.MEND, ()), *(one for one in finished if one.passed is not True))
    ]
    return [
        [
            ("  ", ""),
            labels.mark(task, look),
            (f" {look.clean(task.id)}  ", "bold"),
            (look.clean(why, look.width), "red"),
        ]
        for task, why in wrong
    ]


def _after_run(groups: Mapping[Turn, Sequence[Task]]) -> list[tuple[str, str]]:
    if groups.get(Turn.REVIEW):
        return [(f"{PROGRAM} review", f"{len(groups[Turn.REVIEW])} to review")]
    if groups.get(Turn.MEND):
        return [(f"{PROGRAM} log {groups[Turn.MEND][0].id}", "why it failed")]
    return [(f"{PROGRAM} status", "whose turn it is")]
