"""The forecast of a merge: which tasks will conflict, and the state of the candidate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, fitted, prose
from gitorch.cli.terminal.style import Span, TerminalStyle
from gitorch.cli.views.quantities import listed, plural
from gitorch.cli.views.resolutions import brief_resolutions
from gitorch.model.forecasts.conflict_forecast import (
    Candidate,
    CheckStatus,
    Conflict,
    ConflictGroup,
    ExcludedTask,
    FailingTask,
    RemovedName,
    group_conflicts,
)
from gitorch.model.naming import TaskId

MAX_CONFLICTS = 8
"""How many conflicts are listed before the rest is only counted."""

MERGED = "merged work"
_MAX_NAMES = 6
_INDENT = 2


def marks(conflicts: Iterable[Conflict]) -> dict[TaskId, str]:
    """Return what a table says of each task that will conflict."""
    partners: dict[TaskId, list[str]] = {}
    for conflict in conflicts:
        for name in conflict.tasks:
            partners.setdefault(name, []).append(_partners(conflict, name))
    return {name: f"will conflict with {listed(names, 2)}" for name, names in partners.items()}


def _partners(conflict: Conflict, name: TaskId) -> str:
    return ", ".join(other for other in conflict.tasks if other != name) or MERGED


def conflict_lines(conflicts: Sequence[Conflict], terminal: TerminalStyle) -> list[RenderableType]:
    """Return the section of expected conflicts; nothing if there are none."""
    if not conflicts:
        return []
    groups = group_conflicts(conflicts)
    items = bullets(((_mark(terminal), _group(group, terminal)) for group in groups[:MAX_CONFLICTS]), _INDENT)
    hidden = sum(group.conflicts for group in groups[MAX_CONFLICTS:])
    note = [Text(f"  {terminal.ellipsis} {plural(hidden, 'more conflict')} (see --json)", "dim")] if hidden > 0 else []
    return [Text("Will conflict", "bold red"), *([items] if items else []), *note]


def removed_name_lines(removed: Sequence[RemovedName], terminal: TerminalStyle) -> list[RenderableType]:
    """Return the section of names that one branch removes and another one newly uses; nothing if there are none."""
    if not removed:
        return []
    mark = (terminal.pick("▲", "!"), "yellow")
    items = bullets(((mark, _removed_name(entry, terminal)) for entry in removed[:MAX_CONFLICTS]), _INDENT)
    hidden = len(removed) - MAX_CONFLICTS
    note = [Text(f"  {terminal.ellipsis} {plural(hidden, 'more name')} (see --json)", "dim")] if hidden > 0 else []
    return [Text("Removed, and used by others", "bold yellow"), *([items] if items else []), *note]


def _removed_name(entry: RemovedName, terminal: TerminalStyle) -> Text:
    clean = terminal.clean
    return prose(
        *((clean(entry.name), "bold"), " is removed or renamed by ", (clean(entry.removed_by), "bold")),
        *(f" in {clean(entry.removed_in)}, and newly used by ", (clean(entry.used_by), "bold")),
        f" in {clean(entry.used_in)}",
    )


def conflict_summary(conflicts: Sequence[Conflict], terminal: TerminalStyle, limit: int) -> list[RenderableType]:
    """Return the first conflicts on a line each, for a board that has few lines."""
    mark, style = _mark(terminal)
    groups = group_conflicts(conflicts)
    lines: list[RenderableType] = [fitted((f"{mark} ", style), _group(group, terminal)) for group in groups[:limit]]
    hidden = sum(group.conflicts for group in groups[limit:])
    return [*lines, fitted((f"{terminal.ellipsis} {plural(hidden, 'more conflict')}", "dim"))] if hidden > 0 else lines


def _mark(terminal: TerminalStyle) -> Span:
    return terminal.pick("≠", "!"), "bold red"


def group_names(group: ConflictGroup, limit: int) -> tuple[str, str]:
    """Return who conflicts in a group, and how if it is no pair: `a, b, c and 8 more` and `each with each`."""
    if group.partners:
        return group.tasks[0], f"with each of {listed(group.partners, limit)}"
    if len(group.tasks) == 1:
        return f"{group.tasks[0]} and {MERGED}", ""
    if len(group.tasks) == 2:
        return " and ".join(group.tasks), ""
    return listed(group.tasks, limit), "each with each"


def _group(group: ConflictGroup, terminal: TerminalStyle) -> Text:
    names, how = group_names(group, _MAX_NAMES)
    return prose(
        (terminal.clean(names), "bold"), f" {terminal.clean(how)}".rstrip(), (_in_paths(group.paths, terminal), "red")
    )


def conflicts_of(conflicts: Iterable[Conflict], name: TaskId, terminal: TerminalStyle) -> RenderableType | None:
    """Return the expected conflicts of one task, for its page."""
    return bullets(
        (
            _mark(terminal),
            prose((terminal.clean(_partners(conflict, name)), "bold"), (_in_paths(conflict.paths, terminal), "red")),
        )
        for conflict in conflicts
        if name in conflict.tasks
    )


def _in_paths(paths: Sequence[str], terminal: TerminalStyle) -> str:
    return f" in {listed([*map(terminal.clean, paths)])}" if paths else ""


_STYLES = {
    CheckStatus.GREEN: "green",
    CheckStatus.RED: "bold red",
    CheckStatus.CHECKING: "blue",
    CheckStatus.UNCHECKED: "red",
}


def candidate_lines(
    candidate: Candidate | None, terminal: TerminalStyle, conflicts: Sequence[Conflict] = ()
) -> list[RenderableType]:
    """Return the state of the candidate: what is in it, what the checks say, what was left out and why.

    The `conflicts` are on the screen already, and are not repeated.
    """
    if candidate is None or not (candidate.tasks or candidate.left_out):
        return []
    shown = {frozenset(conflict.tasks) for conflict in conflicts}
    details = bullets(_details(candidate, terminal, shown), _INDENT)
    return [_head(candidate, terminal), *([details] if details else [])]


def candidate_summary(candidate: Candidate | None, terminal: TerminalStyle, limit: int) -> Sequence[RenderableType]:
    """Return the state of the candidate in at most `limit` lines, for a board that has few."""
    if candidate is None or not (candidate.tasks or candidate.left_out):
        return []
    details = [fitted("  ", mark, " ", text) for mark, text in _details(candidate, terminal)]
    return [fitted(_head(candidate, terminal)), *details][:limit]


def _head(candidate: Candidate, terminal: TerminalStyle) -> Text:
    head = prose(("Candidate", "bold"), f"  {terminal.clean(candidate.branch)} at {candidate.tip[:7]}: ")
    if not candidate.tasks:
        return head.append("empty", "yellow")
    return head.append(f"{plural(len(candidate.tasks), 'task')}, ").append(*_judgement(candidate, terminal))


_Item = tuple[Span, Text]
"""A mark, and the text after it."""


def _details(candidate: Candidate, terminal: TerminalStyle, shown: Set[frozenset[TaskId]] = frozenset()) -> list[_Item]:
    not_updated = prose((terminal.clean(f"not updated: {candidate.not_updated}"), "yellow"))
    return [
        *([((terminal.pick("▲", "!"), "yellow"), not_updated)] if candidate.not_updated else []),
        *(_red(red, terminal) for red in candidate.red),
        *_left_out(candidate.left_out, terminal, shown),
        *brief_resolutions(candidate.resolutions, terminal),
    ]


def _judgement(candidate: Candidate, terminal: TerminalStyle) -> Span:
    text = str(candidate.status)
    if failed := [result.name for result in candidate.results if not result.passed]:
        text += f": {', '.join(failed)}"
    return terminal.clean(f"{text} ({candidate.reason})" if candidate.reason else text), _STYLES[candidate.status]


def _red(red: FailingTask, terminal: TerminalStyle) -> _Item:
    mark = (terminal.pick("✗", "x"), "bold red")
    task, check = (terminal.clean(red.task), "bold"), terminal.clean(red.check)
    if not red.partners:
        return mark, prose(task, (f" fails check {check}", "red"))
    together = "passes alone, fails" if red.alone else "fails"
    partners = (terminal.clean(", ".join(red.partners)), "bold")
    return mark, prose(task, (f" {together} check {check} together with ", "red"), partners)


def _left_out(
    excluded: Sequence[ExcludedTask], terminal: TerminalStyle, shown: Set[frozenset[TaskId]]
) -> Iterator[_Item]:
    """Yield who was left out and why; tasks with the same reason are one item."""
    names: dict[str, list[TaskId]] = {}
    for task in excluded:
        pairs = [frozenset({task.task, partner}) for partner in task.partners or (task.task,)]
        is_shown = task.paths and not shown.isdisjoint(pairs)
        reason = "a conflict above" if is_shown else f"{terminal.clean(task.reason)}{_in_paths(task.paths, terminal)}"
        names.setdefault(reason, []).append(task.task)
    mark = (terminal.pick("–", "-"), "yellow")  # noqa: RUF001
    for reason, tasks in names.items():
        yield mark, prose((terminal.clean(listed(tasks, _MAX_NAMES)), "bold"), (f" left out: {reason}", "yellow"))
