"""Plans as text: the tree by phases, one task, a difference, the list; and as Mermaid, DOT and TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gitorch.cli.terminal.layout import (
    FIELD_INDENT,
    Column,
    Line,
    Look,
    Piece,
    block,
    fields,
    fit,
    flow,
    hidden_line,
    paint,
    table,
    wrap,
)
from gitorch.cli.terminal.sanitize import cells, safe, toml_escaped
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import labels
from gitorch.cli.views.labels import plural
from gitorch.model.naming import TaskId
from gitorch.model.plan import BY_HEURISTICS, Difference, Plan, PlannedTask, PlanSession, Said, critical_path, phases
from gitorch.model.plan.difference import Changed
from gitorch.model.plan.values import texts_of

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task"),
    Column(title="Role", hide=2),
    Column(title="Size", hide=3),
    Column(title="Agent", hide=4),
    Column(title="After", hide=1),
    Column(title="What"),
)

# what waits for what is what a plan is about: in few letters it stays
_NARROW_COLUMNS = tuple(
    msgspec.structs.replace(column, hide=0) if column.title == "After" else column for column in _COLUMNS
)

_GOAL_LINES = 6


def tree(session: PlanSession, *, look: Look | None = None) -> str:
    """Return a plan by phases: each task with its role, its size, what it waits for and what it is."""
    look = look or of_stdout()
    plan = session.plan
    lines = [*_head(session, look), []]
    groups = phases(plan)
    numbers = {task.id: number for number, task in enumerate(plan.tasks, start=1)}
    rows = {task.id: _row(task, numbers, look) for task in plan.tasks}
    fitted = fit(_COLUMNS, [*rows.values()], look, "   ")
    if fitted.hidden:
        rows = {task.id: _row(task, numbers, look, named=False) for task in plan.tasks}
        fitted = fit(_NARROW_COLUMNS, [*rows.values()], look, "   ")
    for at, group in enumerate(groups, start=1):
        together = f"  {len(group)} in parallel" if len(group) > 1 else ""
        lines.append([(f"Phase {at}", "bold"), (together, "dim")])
        for task in group:
            fork = look.pick("└─ ", "`- ") if task is group[-1] else look.pick("├─ ", "|- ")
            lines.append([(fork, "dim"), *fitted.row(rows[task.id], dash=False)[1:]])
    lines += hidden_line(fitted) if groups else [[("no tasks yet", "yellow")]]
    lines += _longest(plan, look)
    if session.proposal is not None:
        lines += [[], [("the planner proposes a change: take or leave it", "yellow")]]
    return paint(lines, look)


def _head(session: PlanSession, look: Look) -> list[Line]:
    plan = session.plan
    goal = block(plan.goal.strip(), look)
    state = ("approved", "green") if session.is_approved else ("not approved", "yellow")
    made: Piece = (look.clean(plan.made_by), "yellow" if plan.made_by == BY_HEURISTICS else "")
    parts: list[Piece] = [(session.id, "cyan"), state, (plural(len(plan.tasks), "task"), ""), made, *_spent(session)]
    line: Line = []
    for part in parts:
        line += ([(look.dot, "dim")] if line and part[0] else []) + ([part] if part[0] else [])
    cut = [look.ellipsis] if len(goal) > _GOAL_LINES else []
    return [*([(text, "bold")] for text in goal[:_GOAL_LINES] + cut), *flow(line, look)]


def _spent(session: PlanSession) -> list[Piece]:
    usage = session.spent
    if usage is None:
        return []
    tokens = f"{labels.count(usage.input_tokens)} tokens in, {labels.count(usage.output_tokens)} out"
    return [(tokens, ""), (labels.dollars(usage.usd) if usage.usd is not None else "", "")]


def _row(task: PlannedTask, numbers: Mapping[TaskId, int], look: Look, *, named: bool = True) -> list[Piece]:
    urgent = labels.of_priority(task.priority)
    after = ", ".join(task.after if named else map(str, sorted(numbers[name] for name in task.after)))
    return [
        (str(numbers[task.id]), "dim"),
        (task.id, "bold"),
        (look.clean(task.role), "cyan"),
        (str(task.size), ""),
        (look.clean(task.agent), ""),
        (after if named or not after else f"after {after}", "dim"),
        (look.clean((f"({task.priority}) " if urgent else "") + task.title), ""),
    ]


def _longest(plan: Plan, look: Look) -> list[Line]:
    chain = critical_path(plan)
    if len(chain) < 2:
        return []
    arrow = look.pick(" → ", " -> ")
    pieces: Line = [("longest chain: ", "dim")]
    for at, task in enumerate(chain):
        pieces.append((f"{arrow if at else ''}{task.id}", ""))
    return [[], *flow(pieces, look)]


def task_page(plan: Plan, task: PlannedTask, *, look: Look | None = None) -> str:
    """Return everything about one task of a plan."""
    look = look or of_stdout()
    waiting = [one.id for one in plan.tasks if task.id in one.after]
    lists: list[tuple[str, Sequence[Line]]] = [
        ("After", _one(", ".join(task.after))),
        ("Before", _one(", ".join(waiting))),
        ("Role", _one(look.clean(task.role))),
        ("Agent", _one(look.clean(task.agent))),
        ("Priority", _one(str(task.priority))),
        ("Size", _one(str(task.size))),
        ("Paths", _several(task.paths, look)),
        ("Done when", _several(task.acceptance, look)),
    ]
    head: list[Line] = [
        [(task.id, "bold")],
        *([("  " + line, "")] for line in wrap(look.clean(task.title), look, 2)),
        [],
    ]
    prompt: list[Line] = [[], *([("  " + line, "")] for line in block(task.prompt, look, 2))]
    return paint([*head, *fields(lists), *prompt], look)


def _several(texts: Sequence[str], look: Look) -> list[Line]:
    """Return each text on lines of its own, those after the first further in."""
    broken = [wrap(look.clean(text), look, FIELD_INDENT + 2) for text in texts]
    return [[(("  " if at else "") + line, "")] for lines in broken for at, line in enumerate(lines)]


def _one(text: str) -> list[Line]:
    return [[(text, "")]] if text else []


def difference(found: Difference, *, look: Look | None = None) -> str:
    """Return what would change, one line for each task that comes or goes and for each field that changes."""
    look = look or of_stdout()
    lines: list[Line] = []
    for task in found.added:
        after = f"  after {', '.join(task.after)}" if task.after else ""
        lines.append([("+ ", "green"), (task.id, "bold"), (f"  {look.clean(task.title)}", ""), (after, "dim")])
    lines += [[("- ", "red"), (task.id, "bold"), (f"  {look.clean(task.title)}", "")] for task in found.removed]
    lines = [part for line in lines for part in flow(line, look, "    ")]
    lines += [line for change in found.changed for line in _changed(change, look)]
    lines += [[("~ ", "yellow"), ("the order in which tasks take their turn", "")]] if found.reordered else []
    return paint(lines or [[("nothing would change", "dim")]], look)


def _changed(change: Changed, look: Look) -> list[Line]:
    """Return what a field was and will be: on one line where that has room, else below it."""
    before, now = (_value(value, look) for value in (change.before, change.after))
    text = f"{before}{look.pick(' → ', ' -> ')}{now}"
    head: Line = [("~ ", "yellow"), (change.task, "bold"), (f"  {change.field}: ", "dim")]
    if look.width is None or cells("".join(piece for piece, _ in head) + text) <= look.width:
        return [[*head, (text, "")]]
    return [head, *([("    " + line, "")] for line in wrap(text, look, 4))]


def _value(value: Any, look: Look) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return look.clean(text, 160) if text else "(none)"


def conversation(said: Sequence[Said], *, look: Look | None = None) -> str:
    """Return what was said, who said it first."""
    look = look or of_stdout()
    lines: list[Line] = []
    for one in said:
        who = "you" if one.who == "person" else look.clean(one.model) or "planner"
        lines.append([(who, "bold" if one.who == "person" else "cyan")])
        lines += [[("  " + line, "")] for line in block(one.text, look, 2)]
    return paint(lines, look)


def listing(sessions: Sequence[PlanSession], now: datetime, *, look: Look | None = None) -> str:
    """Return all plans, one a line."""
    look = look or of_stdout()
    if not sessions:
        return paint([[("no plans", ""), ('   orchestrate plan "what you want to reach"', "green")]], look)
    columns = (
        Column(title="Plan"),
        Column(title="State"),
        Column(title="Tasks", right=True),
        Column(title="Made by", hide=1),
        Column(title="Begun", hide=2),
        Column(title="Goal"),
    )
    rows: list[list[Piece]] = [
        [
            (one.id, "bold"),
            ("approved", "green") if one.is_approved else ("not approved", "yellow"),
            (str(len(one.plan.tasks)), ""),
            (look.clean("heuristics" if one.plan.made_by == BY_HEURISTICS else one.plan.made_by), ""),
            (labels.age(one.created, now) if one.created else "", ""),
            (look.clean(" ".join(one.plan.goal.split())), ""),
        ]
        for one in sessions
    ]
    return paint(table(columns, rows, look), look)


# ------------------------------------------------------------------------------------------------------- formats


def mermaid(plan: Plan) -> str:
    """Return a Mermaid flowchart: an arrow leads from what comes first to what waits for it."""
    names = {task.id: f"t{number}" for number, task in enumerate(plan.tasks, start=1)}
    lines = ["flowchart LR"]
    for at, group in enumerate(phases(plan), start=1):
        lines.append(f"  subgraph phase{at}[Phase {at}]")
        lines += [f'    {names[task.id]}["{_entities(_label(task))}"]' for task in group]
        lines.append("  end")
    lines += [f"  {names[needed]} --> {names[task.id]}" for task in plan.tasks for needed in task.after]
    return "\n".join(lines)


def dot(plan: Plan) -> str:
    """Return a graph for Graphviz: an arrow leads from what comes first to what waits for it."""
    nodes = [f"  {_dot_text(task.id)} [label={_dot_text(_label(task))}];" for task in plan.tasks]
    edges = [f"  {_dot_text(needed)} -> {_dot_text(task.id)};" for task in plan.tasks for needed in task.after]
    ranks = ["  { rank=same; " + " ".join(f"{_dot_text(task.id)};" for task in one) + " }" for one in phases(plan)]
    return "\n".join(["digraph plan {", "  rankdir=LR;", "  node [shape=box];", *nodes, *ranks, *edges, "}"])


def _label(task: PlannedTask) -> str:
    return safe(f"{task.title} ({task.role})" if task.role else task.title, width=100)


def _entities(text: str) -> str:
    """Write what means something in a Mermaid label as entities."""
    return "".join(f"#{ord(one)};" if one in '"#&<>[]{}()|`\\' else one for one in text)


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_EDIT_HEADER = """\
# A plan. Change what you like, save, and leave the editor; an empty file changes nothing.
# A [[task]] needs id, title and prompt. It may have role, agent, priority ("high", "normal", "low"),
# after (ids of tasks that it waits for), paths (globs), acceptance (what must be true when it is done),
# size ("small", "medium", "large").

"""


def toml(plan: Plan) -> str:
    """Return a plan as TOML that `plan edit` reads back."""
    import tomli_w

    tables = [msgspec.to_builtins(task) for task in plan.tasks]
    # TOML readers turn "\r\n" into "\n" in multi-line strings
    multiline = not any("\r" in text for text in _all_texts(plan))
    document: dict[str, Any] = {"goal": plan.goal} | ({"task": tables} if tables else {})
    return _EDIT_HEADER + toml_escaped(tomli_w.dumps(document, multiline_strings=multiline))


def _all_texts(plan: Plan) -> Iterator[str]:
    yield plan.goal
    yield from (text for task in plan.tasks for text in texts_of(task))
