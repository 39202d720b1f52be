"""Plans as text: the table by phases, one task, a difference, the conversation, and the list of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import block, bullets, commands, fields, joined, prose, section, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table, visible_columns
from gitorch.cli.views import labels, quantities
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.status import PROGRAM
from gitorch.model.naming import TaskId
from gitorch.model.plan import BY_HEURISTICS, PlannedTask, PlanSession, TaskPlan, critical_path, phases

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task"),
    Column(title="Role", drop=2),
    Column(title="Size", drop=3),
    Column(title="Agent", drop=4),
    Column(title="After", drop=1),
    Column(title="What"),
)

# dependencies are the point of a plan; as numbers they always fit
_NARROW_COLUMNS = tuple(
    msgspec.structs.replace(column, drop=0) if column.title == "After" else column for column in _COLUMNS
)

_MAX_GOAL_LINES = 6


def tree(session: PlanSession, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return a plan by phases: each task with its role, its size, its dependencies and its title."""
    terminal = terminal or stdout_style()
    plan = session.plan
    proposal = Text("the planner proposed a change: take it or leave it", "yellow")
    return stack(
        [
            *_head(session, terminal),
            Text(),
            _phases(plan, terminal) if plan.tasks else Text("no tasks yet", "yellow"),
            *section(terminal, _critical_path(plan, terminal)),
            *section(terminal, proposal if session.proposal is not None else None),
        ]
    )


def _phases(plan: TaskPlan, terminal: TerminalStyle) -> RenderableType:
    rows = _rows(plan, terminal, by_name=True)
    _, hidden = visible_columns(_COLUMNS, rows, terminal)
    if not hidden:
        return table(_COLUMNS, rows, terminal)
    return table(_NARROW_COLUMNS, _rows(plan, terminal, by_name=False), terminal)


def _rows(plan: TaskPlan, terminal: TerminalStyle, *, by_name: bool) -> list[Row]:
    """Return the rows of a plan, under a heading for each phase; dependencies are names or numbers."""
    numbers = {task.id: number for number, task in enumerate(plan.tasks, start=1)}
    rows: list[Row] = []
    for number, group in enumerate(phases(plan), start=1):
        parallel = f"{len(group)} in parallel" if len(group) > 1 else ""
        rows.append([("", ""), (f"Phase {number}", "bold"), *[("", "")] * 4, (parallel, "dim")])
        rows += [_row(task, numbers, terminal, by_name=by_name) for task in group]
    return rows


def _head(session: PlanSession, terminal: TerminalStyle) -> list[RenderableType]:
    plan = session.plan
    goal = plan.goal.strip().split("\n")
    cut = [terminal.ellipsis] if len(goal) > _MAX_GOAL_LINES else []
    parts: list[Span] = [
        (session.id, "cyan"),
        ("approved", "green") if session.is_approved else ("not approved", "yellow"),
        (plural(len(plan.tasks), "task"), ""),
        (terminal.clean(plan.made_by), "yellow" if plan.made_by == BY_HEURISTICS else ""),
        *_usage(session),
    ]
    title = block("\n".join(goal[:_MAX_GOAL_LINES] + cut), terminal, "bold")
    return [*([title] if title else []), joined(parts, terminal)]


def _usage(session: PlanSession) -> list[Span]:
    usage = session.usage
    if usage is None:
        return []
    return [(quantities.tokens(usage), ""), (quantities.dollars(usage.usd) if usage.usd is not None else "", "")]


def _row(task: PlannedTask, numbers: Mapping[TaskId, int], terminal: TerminalStyle, *, by_name: bool) -> Row:
    priority = f"({task.priority}) " if labels.priority_label(task.priority) else ""
    after = ", ".join(task.after if by_name else map(str, sorted(numbers[name] for name in task.after)))
    return [
        (str(numbers[task.id]), "dim"),
        (task.id, "bold"),
        (terminal.clean(task.role), "cyan"),
        (str(task.size), ""),
        (terminal.clean(task.agent), ""),
        (after, "dim"),
        (terminal.clean(priority + task.title), ""),
    ]


def _critical_path(plan: TaskPlan, terminal: TerminalStyle) -> RenderableType | None:
    path = critical_path(plan)
    if len(path) < 2:
        return None
    arrow = terminal.pick(" → ", " -> ")
    return bullets([(("critical path:", "dim"), prose(arrow.join(task.id for task in path)))])


def task_page(plan: TaskPlan, task: PlannedTask, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return everything about one task of a plan."""
    terminal = terminal or stdout_style()
    dependents = [other.id for other in plan.tasks if task.id in other.after]
    details = fields(
        [
            ("After", _text(", ".join(task.after), terminal)),
            ("Before", _text(", ".join(dependents), terminal)),
            ("Role", _text(task.role, terminal)),
            ("Agent", _text(task.agent, terminal)),
            ("Priority", Text(str(task.priority))),
            ("Size", Text(str(task.size))),
            ("Paths", _list(task.paths, terminal)),
            ("Done when", _list(task.acceptance, terminal)),
        ]
    )
    title, prompt = _indented(_text(task.title, terminal)), _indented(block(task.prompt, terminal))
    return stack([Text(task.id, "bold"), title, Text(), details, Text(), prompt])


def _text(text: str, terminal: TerminalStyle) -> RenderableType | None:
    return block(terminal.clean(text), terminal)


def _list(texts: Sequence[str], terminal: TerminalStyle) -> RenderableType | None:
    return bullets((("-", ""), prose(terminal.clean(text))) for text in texts)


def _indented(content: RenderableType | None) -> RenderableType | None:
    return bullets([((" ", ""), content)]) if content else None


_LIST_COLUMNS = (
    Column(title="Plan"),
    Column(title="State"),
    Column(title="Tasks", right=True),
    Column(title="Made by", drop=1),
    Column(title="Created", drop=2),
    Column(title="Goal"),
)


def listing(sessions: Sequence[PlanSession], now: datetime, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return all plans, one a line."""
    terminal = terminal or stdout_style()
    if not sessions:
        return stack([Text("no plans"), commands([(f'{PROGRAM} plan "your goal"', "make the first one")], terminal)])
    rows: list[Row] = [
        [
            (session.id, "bold"),
            ("approved", "green") if session.is_approved else ("not approved", "yellow"),
            (str(len(session.plan.tasks)), ""),
            (terminal.clean("heuristics" if session.plan.made_by == BY_HEURISTICS else session.plan.made_by), ""),
            (quantities.age(session.created, now) if session.created else "", ""),
            (terminal.clean(" ".join(session.plan.goal.split())), ""),
        ]
        for session in sessions
    ]
    return table(_LIST_COLUMNS, rows, terminal)
