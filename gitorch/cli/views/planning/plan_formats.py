"""Plans in other formats: Mermaid, DOT, and TOML for an editor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import tomli_w

from gitorch.cli.terminal.sanitize import safe, toml_escaped
from gitorch.model.plan import PlannedTask, TaskPlan, phases
from gitorch.model.plan.values import texts_of


def mermaid(plan: TaskPlan) -> str:
    """Return a Mermaid flowchart: an arrow leads from what comes first to what waits for it."""
    names = {task.id: f"t{number}" for number, task in enumerate(plan.tasks, start=1)}
    lines = ["flowchart LR"]
    for number, group in enumerate(phases(plan), start=1):
        lines.append(f"  subgraph phase{number}[Phase {number}]")
        lines += [f'    {names[task.id]}["{_entities(_label(task))}"]' for task in group]
        lines.append("  end")
    lines += [f"  {names[needed]} --> {names[task.id]}" for task in plan.tasks for needed in task.after]
    return "\n".join(lines)


def dot(plan: TaskPlan) -> str:
    """Return a graph for Graphviz: an arrow leads from what comes first to what waits for it."""
    nodes = [f"  {_dot_text(task.id)} [label={_dot_text(_label(task))}];" for task in plan.tasks]
    edges = [f"  {_dot_text(needed)} -> {_dot_text(task.id)};" for task in plan.tasks for needed in task.after]
    ranks = ["  { rank=same; " + " ".join(f"{_dot_text(task.id)};" for task in group) + " }" for group in phases(plan)]
    return "\n".join(["digraph plan {", "  rankdir=LR;", "  node [shape=box];", *nodes, *ranks, *edges, "}"])


def _label(task: PlannedTask) -> str:
    return safe(f"{task.title} ({task.role})" if task.role else task.title, width=100)


def _entities(text: str) -> str:
    """Write what means something in a Mermaid label as entities."""
    return "".join(f"#{ord(character)};" if character in '"#&<>[]{}()|`\\' else character for character in text)


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_EDIT_HEADER = """\
# A plan. Change what you like, save, and leave the editor; an empty file
# changes nothing. A [[task]] needs id, title and prompt. It may have role,
# agent, priority ("high", "normal", "low"), after (ids of tasks that it waits
# for), paths (globs), acceptance (what must be true when it is done), and
# size ("small", "medium", "large").

"""


def toml(plan: TaskPlan) -> str:
    """Return a plan as TOML that `plan edit` reads back."""
    tables = [msgspec.to_builtins(task) for task in plan.tasks]
    # TOML readers turn "\r\n" into "\n" in multi-line strings
    multiline = not any("\r" in text for text in _all_texts(plan))
    document: dict[str, Any] = {"goal": plan.goal} | ({"task": tables} if tables else {})
    return _EDIT_HEADER + toml_escaped(tomli_w.dumps(document, multiline_strings=multiline))


def _all_texts(plan: TaskPlan) -> Iterator[str]:
    yield plan.goal
    yield from (text for task in plan.tasks for text in texts_of(task))
