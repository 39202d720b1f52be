"""The pages of the morning: what waits for review, and one task's card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitorch.cli.terminal.layout import FIELD_INDENT, Column, Line, Look, Piece, block, fields, flow, paint, table
from gitorch.cli.terminal.sanitize import cells
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import labels
from gitorch.cli.views.labels import plural
from gitorch.cli.views.status import PROGRAM, commands, gap
from gitorch.model.task import CheckResult, Comment, Task

if TYPE_CHECKING:
    from gitorch.flow.review import Card, Change, Signal

_MOST_FILES = 20
_MOST_COMMITS = 12
_RISK_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}
_STATUS_WORDS = {"A": "added", "D": "deleted", "T": "type changed"}

# ----------------------------------------------------------------------------------------------------- review

_REVIEW_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task"),
    Column(title="Risk"),
    Column(title="Diff", right=True, hide=2),
    Column(title="Checks"),
    Column(title="Cost", right=True, hide=1),
    Column(title="Why"),
)


def review_list(cards: Sequence[Card], *, look: Look | None = None) -> str:
    """Return what waits for a review, in the order given (the riskiest first), with the reason for the order."""
    look = look or of_stdout()
    if not cards:
        nothing: Line = [("Nothing waits for a review.", "")]
        return paint([nothing, *commands([(f"{PROGRAM} status", "whose turn it is")], look)], look)
    rows = [_review_row(number, one, look) for number, one in enumerate(cards, start=1)]
    added, removed = sum(one.added for one in cards), sum(one.removed for one in cards)
    count: Line = [(f"{plural(len(cards), 'task')} to review, +{added} -{removed} lines", "")]
    first = cards[0].task.id
    return paint(
        [*table(_REVIEW_COLUMNS, rows, look), *gap(look), count, *commands([(f"{PROGRAM} review {first}", "")], look)],
        look,
    )


def _review_row(number: int, one: Card, look: Look) -> list[Piece]:
    return [
        (str(number), ""),
        (look.clean(one.task.id), "bold"),
        (one.risk, _RISK_STYLES[one.risk]),
        (labels.lines_changed((one.added, one.removed)), ""),
        labels.checks(one.task, look),
        (labels.cost(one.task.spent), ""),
        (look.clean("; ".join(_signal_words(signal) for signal in one.signals) or "nothing stands out"), ""),
    ]


def _signal_words(signal: Signal) -> str:
    return f"{signal.text}: {signal.path}" if signal.path else signal.text


def card(one: Card, *, look: Look | None = None, now: datetime | None = None) -> str:
    """Return what a reviewer needs to see of one task before its diff."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    task = one.task
    last = task.attempt
    body = fields(
        [
            ("Risk", [[(one.risk, _RISK_STYLES[one.risk])]]),
            ("Checks", check_lines(task, look) or [[("none: no check judged this", "red")]]),
            ("Signals", [_signal_line(signal, look) for signal in one.signals]),
            ("Commits", _shortened([[(_fitted(text, look), "")] for text in one.commits], _MOST_COMMITS, look)),
            ("Files", _file_lines(one, look)),
            ("Comments", comment_lines(task.comments, look)),
            ("Agent", text_lines(last.summary if last else "", look)),
        ]
    )
    return paint([*_card_head(task, look, now), [], *body], look)


def _card_head(task: Task, look: Look, now: datetime) -> list[Line]:
    facts = [
        f"attempt {task.attempts}" if task.attempts else "",
        look.clean(task.attempt.agent) if task.attempt else "",
        labels.took(task.attempt, now),
        labels.cost(task.spent),
        "adopted" if task.adopted else "",
    ]
    head: Line = [(look.clean(task.id), "bold")]
    head += [(look.dot + fact, "") for fact in facts if fact]
    if task.branch:
        head.append((f"   {look.clean(task.branch)}", "dim"))
    if task.spec.after:
        head.append((f" on {', '.join(look.clean(name) for name in task.spec.after)}", "dim"))
    stale: list[Line] = [[("  stale: what it builds on has changed since", "yellow")]] if task.stale else []
    title = block(task.title, look, 2)
    return [*flow(head, look), *([(f"  {line}", "")] for line in title), *stale]


def check_lines(task: Task, look: Look) -> list[Line]:
    """Return one line for each check: how it ended, its name and command, and where its output is when it failed."""
    lines: list[Line] = []
    widest = max((cells(look.clean(result.name)) for result in task.results), default=0)
    for result in task.results:
        lines.append(_check_line(result, widest, look))
        if not result.passed and result.output:
            lines.append([("  see ", "dim"), (look.clean(result.output), "dim")])
    return lines


def _check_line(result: CheckResult, widest: int, look: Look) -> Line:
    symbol, style = (look.pick("✓", "ok"), "green") if result.passed else (look.pick("✗", "x"), "red")
    name = look.clean(result.name)
    room = None if look.width is None else max(12, look.width - widest - 44)
    return [
        (f"{symbol} ", style),
        (name + " " * (widest - cells(name)), ""),
        (f"  {labels.verdict(result)}", style),
        (f"  {labels.duration(result.seconds)}", ""),
        (f"  {look.clean(result.command, room)}", "dim"),
    ]


def comment_lines(comments: Iterable[Comment], look: Look) -> list[Line]:
    """Return comments as numbered lines with their places."""
    lines: list[Line] = []
    for number, comment in enumerate(comments, start=1):
        place = look.clean(f"{comment.file}:{comment.line}" if comment.line else comment.file)
        text = block(comment.text, look, FIELD_INDENT + 3)
        if place:
            lines.append([(f"{number}. ", ""), (place, "cyan")])
        lines += [[("   " if at or place else f"{number}. ", ""), (line, "")] for at, line in enumerate(text)]
    return lines


def _signal_line(signal: Signal, look: Look) -> Line:
    style = {3: "red", 2: "yellow"}.get(signal.weight, "")
    line: Line = [(f"{look.pick('▲', '!')} ", style), (look.clean(signal.text, look.width), style)]
    return [*line, ("  ", ""), (_fitted(signal.path, look, cells(signal.text) + 4), "")] if signal.path else line


def _fitted(text: str, look: Look, taken: int = 0) -> str:
    """Return foreign text as one line that fits beside a label and what stands before it."""
    return look.clean(text, None if look.width is None else max(12, look.width - FIELD_INDENT - taken))


def _file_lines(one: Card, look: Look) -> list[Line]:
    widest = max((cells(_path(change, look)) for change in one.changes), default=0)
    lines = _shortened([_file_line(change, widest, look) for change in one.changes], _MOST_FILES, look)
    if len(one.changes) > 1:
        lines.append([(f"{len(one.changes)} files, +{one.added} -{one.removed}", "dim")])
    return lines


def _path(change: Change, look: Look) -> str:
    return _fitted(change.path, look, 24)


def _file_line(change: Change, widest: int, look: Look) -> Line:
    path = _path(change, look)
    line: Line = [(path + " " * (widest - cells(path)) + "  ", "")]
    if change.added is None or change.removed is None:
        line.append(("binary", "yellow"))
    else:
        line += [(f"+{change.added}", "green"), (f" -{change.removed}", "red")]
    return [*line, (f"  {_STATUS_WORDS[change.status]}", "dim")] if change.status in _STATUS_WORDS else line


def _shortened(lines: list[Line], most: int, look: Look) -> list[Line]:
    more = len(lines) - most
    return lines if more <= 1 else [*lines[:most], [(f"{look.ellipsis} {more} more", "dim")]]


def text_lines(text: str, look: Look) -> list[Line]:
    """Return foreign text as the lines of a field; none where it says nothing."""
    return [[(line, "")] for line in block(text, look, FIELD_INDENT)] if text.strip() else []
