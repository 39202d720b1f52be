"""What is known before the morning, as lines: who will conflict with whom, and how the night's candidate stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.cli.terminal.layout import Line, Look, Piece
from gitorch.cli.views.labels import plural
from gitorch.model.forecast import Candidate, Conflict, Judgement, LeftOut, Red
from gitorch.model.naming import TaskId

MOST = 8
"""How many conflicts are named before the rest is counted."""
_MOST_PATHS = 3


def marks(conflicts: Iterable[Conflict]) -> dict[TaskId, str]:
    """Return for each task that will conflict, with whom: the word that stands beside it in a table."""
    partners: dict[TaskId, list[str]] = {}
    for one in conflicts:
        for name in one.tasks:
            partners.setdefault(name, []).append(_others(one, name) or "what is merged")
    return {
        name: f"will conflict with {', '.join(found[:2])}" + (f" and {len(found) - 2} more" if len(found) > 2 else "")
        for name, found in partners.items()
    }


def _others(one: Conflict, name: TaskId) -> str:
    return ", ".join(other for other in one.tasks if other != name)


def will_conflict(conflicts: Sequence[Conflict], look: Look) -> list[Line]:
    """Return the section of foreseen conflicts; nothing where none is foreseen."""
    if not conflicts:
        return []
    lines: list[Line] = [[("Will conflict", "bold red")]]
    lines += [[("  ", ""), *conflict(one, look)] for one in conflicts[:MOST]]
    if more := conflicts[MOST:]:
        lines.append([(f"  {look.ellipsis} {plural(len(more), 'more pair')}, all of them with --json", "dim")])
    return lines


def conflict(one: Conflict, look: Look) -> Line:
    """Return one conflict: who, with whom, in which paths."""
    names: list[str] = [*map(look.clean, one.tasks)]
    other = names[1] if len(names) > 1 else "what is merged"
    line: Line = [(f"{look.pick('≠', '!')} ", "bold red"), (names[0], "bold"), (" and ", ""), (other, "bold")]
    return [*line, (f" in {_paths(one.paths, look)}", "red")]


def with_others(conflicts: Iterable[Conflict], name: TaskId, look: Look) -> list[Line]:
    """Return the conflicts of one task, as lines for its page."""
    return [
        [
            (f"{look.pick('≠', '!')} ", "bold red"),
            (look.clean(_others(one, name)) or "what is merged", "bold"),
            (f" in {_paths(one.paths, look)}", "red"),
        ]
        for one in conflicts
        if name in one.tasks
    ]


def _paths(paths: Sequence[str], look: Look) -> str:
    more = len(paths) - _MOST_PATHS
    shown = ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")
    return look.clean(shown, None if look.width is None else max(30, look.width - 30))


_STYLES = {Judgement.GREEN: "green", Judgement.RED: "bold red", Judgement.CHECKING: "blue", Judgement.UNCHECKED: "red"}


def candidate(one: Candidate | None, look: Look) -> list[Line]:
    """Return how the candidate stands: what is in it, what the checks say, what was left out and why."""
    if one is None or not (one.tasks or one.left_out):
        return []
    head: Line = [("Candidate  ", "bold"), (look.clean(one.branch), ""), (f" at {one.tip[:7]}", "")]
    said: Line = [(f": {plural(len(one.tasks), 'task')}, ", ""), _judged(one, look)]
    head += said if one.tasks else [(": nothing goes in", "yellow")]
    lines: list[Line] = [head]
    if one.held:
        lines.append([("  ", ""), (look.clean(f"not moved: {one.held}", look.width), "yellow")])
    lines += [[("  ", ""), *_red(red, look)] for red in one.red]
    return [*lines, *([("  ", ""), *_left_out(left, look)] for left in one.left_out)]


def _judged(one: Candidate, look: Look) -> Piece:
    said = str(one.judgement)
    if failed := [result.name for result in one.results if not result.passed]:
        said += f": {', '.join(failed)}"
    return look.clean(f"{said} ({one.reason})" if one.reason else said), _STYLES[one.judgement]


def _red(red: Red, look: Look) -> Line:
    line: Line = [(f"{look.pick('✗', 'x')} ", "bold red"), (look.clean(red.task), "bold")]
    if not red.partners:
        return [*line, (f" turns {look.clean(red.check)} red", "red")]
    partners = look.clean(", ".join(red.partners))
    alone = "green alone, red" if red.alone else "red"
    return [*line, (f" {alone} together with ", "red"), (partners, "bold"), (f": {look.clean(red.check)}", "red")]


def _left_out(left: LeftOut, look: Look) -> Line:
    paths = f" in {_paths(left.paths, look)}" if left.paths else ""
    return [
        (f"{look.pick('–', '-')} ", "yellow"),  # noqa: RUF001
        (look.clean(left.task), "bold"),
        (f" left out: {look.clean(left.reason)}{paths}", "yellow"),
    ]
