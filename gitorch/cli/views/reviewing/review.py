"""The pages of a review: the list of finished tasks, and one task in detail."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gitorch.cli.terminal.blocks import block, bullets, commands, fields, fitted, prose, section, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, fits, table, table_with_notes
from gitorch.cli.views import labels, quantities
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.resolutions import resolution_of
from gitorch.cli.views.reviewing import rivals
from gitorch.cli.views.status import PROGRAM
from gitorch.flow.review import FileChange, ReviewCard, RiskSignal
from gitorch.model.task import CheckResult, Comment, Task, by_id

_MAX_FILES = 20
_LABELS = 12
"""The width of the column with the names of the fields."""
_MAX_COMMITS = 12
_RISK_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}
_CHANGES = {"A": "added", "D": "deleted", "R": "renamed", "T": "type changed"}

_COLUMNS = (
    Column(title="#", right=True),
    Column(title="Task", shrink=20),
    Column(title="Risk"),
    Column(title="Diff", right=True, drop=2),
    Column(title="Checks"),
    Column(title="Cost", right=True, drop=1),
    Column(title="Why"),
)


def review_list(
    cards: Sequence[ReviewCard], *, begins: bool = False, terminal: TerminalStyle | None = None
) -> RenderableType:
    """Return the tasks to review in the order given (the first one first), with the reason for the order.

    Where a review `begins` with it, nothing needs to be typed for the first task.
    """
    terminal = terminal or stdout_style()
    if not cards:
        return stack([Text("nothing to review"), commands([(f"{PROGRAM} status", "show all tasks")], terminal)])
    rows = [_row(number, card, terminal) for number, card in enumerate(cards, start=1)]
    added, removed = sum(card.added for card in cards), sum(card.removed for card in cards)
    count = Text(f"{plural(len(cards), 'task')} to review, +{added} -{removed} lines")
    first = [] if begins else [(f"{PROGRAM} review {cards[0].task.id}", "start with the first")]
    return stack([_list(rows, terminal), *section(terminal, count), commands(first, terminal)])


def _list(rows: Sequence[Row], terminal: TerminalStyle) -> RenderableType:
    """Return a line for each task; where a reason would be cut, or a column left out, the reasons have own lines."""
    if terminal.width is None or fits(_COLUMNS, rows, terminal):
        return table(_COLUMNS, rows, terminal)
    reasons = [prose(row[-1]) for row in rows]
    return table_with_notes(_COLUMNS[:-1], [row[:-1] for row in rows], reasons, terminal)


def _row(number: int, card: ReviewCard, terminal: TerminalStyle) -> Row:
    reasons = "; ".join(_reasons(card)) or "nothing unusual"
    return [
        (str(number), ""),
        (terminal.clean(card.task.id), "bold"),
        (card.risk, _RISK_STYLES[card.risk]),
        (labels.lines_changed((card.added, card.removed)), ""),
        labels.checks(card.task, terminal),
        (labels.costs(card.task.usages), ""),
        (labels.with_title(terminal.clean(reasons), card.task, terminal), ""),
    ]


def _reasons(card: ReviewCard) -> list[str]:
    """Return why a task has its place in the list."""
    unlocks = [f"unlocks {', '.join(card.unlocks)}"] if card.unlocks else []
    verdict = labels.rival_verdict(card.task, by_id(card.rivals))
    return [*filter(None, [verdict]), *unlocks, *itertools.starmap(_signal_text, card.first_signals())]


def _signal_text(signal: RiskSignal, has_more: bool) -> str:
    text = f"{signal.text}: {signal.place}" if signal.place else signal.text
    return f"{text} (and more)" if has_more else text


def card(reviewed: ReviewCard, *, terminal: TerminalStyle | None = None, now: datetime | None = None) -> RenderableType:
    """Return what a reviewer needs to see of one task before its diff."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    task = reviewed.task
    details = fields(
        [
            ("Risk", Text(reviewed.risk, _RISK_STYLES[reviewed.risk])),
            ("Checks", check_table(task, terminal) or Text(labels.NOT_CHECKED, "red")),
            ("Rivals", rivals.comparison(task, by_id(reviewed.rivals), terminal, now)),
            ("Signals", bullets(_signal(signal, terminal) for signal in reviewed.signals)),
            ("Proposal", resolution_of(reviewed.resolutions, task.id, terminal)),
            (
                "Commits",
                _shortened([fitted(terminal.clean(text)) for text in reviewed.commits], _MAX_COMMITS, terminal),
            ),
            ("Files", _files(reviewed, terminal)),
            ("Answers", comment_list(task.answered, terminal)),
            ("Comments", comment_list(task.comments, terminal)),
            ("Agent", block(task.attempt.summary if task.attempt else "", terminal)),
        ]
    )
    return stack([*_card_head(task, terminal, now), Text(""), details])


def _card_head(task: Task, terminal: TerminalStyle, now: datetime) -> list[RenderableType]:
    facts = [
        f"attempt {task.attempts}" if task.attempts else "",
        terminal.clean(task.attempt.agent) if task.attempt else "",
        labels.took(task.attempt, now),
        labels.costs(task.usages),
        "adopted" if task.adopted else "",
    ]
    head = prose((terminal.clean(task.id), "bold"), *(terminal.dot + fact for fact in facts if fact))
    if task.branch:
        head.append(f"   {terminal.clean(task.branch)}", "dim")
    if task.spec.after:
        head.append(f" on {', '.join(map(terminal.clean, task.spec.after))}", "dim")
    stale = [prose((f"  {labels.STALE}", "yellow"))] if task.stale else []
    return [head, *title_lines(task.title, terminal), *stale]


def title_lines(title: str, terminal: TerminalStyle) -> list[RenderableType]:
    """Return a title, indented below the name."""
    content = block(title, terminal)
    indented = bullets([((" ", ""), content)]) if content else None
    return [indented] if indented else []


def check_table(task: Task, terminal: TerminalStyle) -> RenderableType | None:
    """Return how each check ended, its name and command, and the file of a failed check's output."""
    if not task.results:
        return None
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for _ in range(3):
        grid.add_column(no_wrap=True)
    for result in task.results:
        grid.add_row(*_check_cells(result, terminal))
    outputs = [
        prose((f"{terminal.clean(result.name)} output: {terminal.clean(result.output)}", "dim"))
        for result in task.results
        if not result.passed and result.output
    ]
    return Group(grid, *outputs)


_OUTPUT_LINES = 200


def checks_with_output(task: Task, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return how each check ended, and the end of what the failed ones printed."""
    terminal = terminal or stdout_style()
    parts: list[RenderableType | None] = [check_table(task, terminal) or Text(labels.NOT_CHECKED, "red")]
    for result in task.results:
        path = Path(result.output)
        if not result.passed and result.output and path.is_file():
            lines = path.read_text("utf-8", "replace").splitlines()[-_OUTPUT_LINES:]
            words = terminal.clean(result.name) + (" printed" if any(lines) else " printed nothing")
            parts += [Text(""), Text(words, "bold"), block("\n".join(lines), terminal)]
    return stack(parts)


def _check_cells(result: CheckResult, terminal: TerminalStyle) -> tuple[Text, ...]:
    symbol, style = (terminal.pick("✓", "ok"), "green") if result.passed else (terminal.pick("✗", "x"), "red")
    return (
        fitted((f"{symbol} ", style), terminal.clean(result.name)),
        Text(labels.check_outcome(result), style),
        Text(quantities.duration(result.seconds)),
        fitted((terminal.clean(result.command), "dim")),
    )


def comment_list(comments: Iterable[Comment], terminal: TerminalStyle) -> RenderableType | None:
    """Return comments with their numbers and places, and with the answers to questions."""
    entries, said = [], ""
    for number, comment in enumerate(comments, start=1):
        # one message may answer several questions
        answer = "answered above" if comment.answer and comment.answer == said else comment.answer
        said = comment.answer
        entries.append(((f"{number}.", ""), stack([_comment(comment, terminal), _answer(answer, terminal)])))
    return bullets(entries)


def _answer(text: str, terminal: TerminalStyle) -> RenderableType | None:
    content = block(text, terminal)
    return bullets([((terminal.pick("↳", "->"), "green"), content)]) if content else None


def _comment(comment: Comment, terminal: TerminalStyle) -> RenderableType:
    parts_of_head = (terminal.clean(comment.place), comment.side, terminal.clean(comment.severity))
    head = terminal.dot.join(filter(None, parts_of_head))
    parts = [prose((head, "cyan")) if head else None, block(comment.text, terminal)]
    if comment.suggestion is not None:
        lines = block(comment.suggestion, terminal, "green") or Text("no lines", "red")
        parts += [Text("suggests:", "dim"), bullets([((" ", ""), lines)])]
    return stack(parts)


def _signal(signal: RiskSignal, terminal: TerminalStyle) -> tuple[Span, RenderableType]:
    style = {3: "red", 2: "yellow"}.get(signal.weight, "")
    path = f"  {terminal.clean(signal.place)}" if signal.place else ""
    return (terminal.pick("▲", "!"), style), prose((terminal.clean(signal.text), style), path)


def _files(reviewed: ReviewCard, terminal: TerminalStyle) -> RenderableType | None:
    if not reviewed.changes:
        return None
    limit = _MAX_FILES if len(reviewed.changes) > _MAX_FILES + 1 else len(reviewed.changes)
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    # git's order, but for the files that only have another name: they hide no work below them
    listed = sorted(reviewed.changes, key=_is_only_renamed)[:limit]
    has_statuses = any(change.status in _CHANGES for change in listed)
    # of an empty last column, rich would take the width of its gap from the paths
    for no_wrap in (False, True, True)[: 2 + has_statuses]:
        grid.add_column(no_wrap=no_wrap)
    other_width = max(_line_counts(change).cell_len + len(_CHANGES.get(change.status, "")) for change in listed)
    room = None if terminal.width is None else terminal.width - _LABELS - other_width - 4
    for change in listed:
        path = shortened_path(terminal.clean(_path(change)), room, terminal)
        cells = (fitted(path), _line_counts(change), Text(_CHANGES.get(change.status, ""), "dim"))
        grid.add_row(*cells[: 2 + has_statuses])
    hidden = len(reviewed.changes) - limit
    note = f"{terminal.ellipsis} {hidden} more" if hidden else ""
    total = f"{len(reviewed.changes)} files, +{reviewed.added} -{reviewed.removed}" if len(reviewed.changes) > 1 else ""
    return Group(grid, *(Text(text, "dim") for text in (note, total) if text))


def _is_only_renamed(change: FileChange) -> bool:
    return bool(change.old_path) and (change.added, change.removed) == (0, 0)


def _path(change: FileChange) -> str:
    """Return the path of a file; of a renamed one, both paths with what they share once, as `git diff --stat` does."""
    if not change.old_path:
        return change.path
    old, new = change.old_path.split("/"), change.path.split("/")
    start = _common(old[:-1], new[:-1])
    end = _common(old[start:][::-1], new[start:][::-1])
    moved = f"{'/'.join(old[start : len(old) - end])} => {'/'.join(new[start : len(new) - end])}"
    return "/".join([*old[:start], f"{{{moved}}}" if start or end else moved, *old[len(old) - end :]])


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many names are the same at the start of two paths."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def shortened_path(path: str, room: int | None, terminal: TerminalStyle) -> str:
    """Return a path that has room: without folders in its middle, as its file tells most."""
    first, *folders, name = path.split("/") if "/" in path else ("", path)
    if room is None or cell_len(path) <= room or not first:
        return path
    while folders:
        folders.pop(0)
        short = "/".join([first, terminal.ellipsis, *folders, name])
        if cell_len(short) <= room:
            return short
    return f"{terminal.ellipsis}/{name}"


def _line_counts(change: FileChange) -> Text:
    if change.added is None or change.removed is None:
        return Text(f"binary{_sizes(change)}", "yellow")
    return Text.assemble((f"+{change.added}", "green"), " ", (f"-{change.removed}", "red"))


def _sizes(change: FileChange) -> str:
    """Return the size of a binary file, before and after if both differ."""
    sizes = dict.fromkeys(quantities.size(size) for size in (change.old_size, change.size) if size is not None)
    return f" {' to '.join(sizes)}" if sizes else ""


def _shortened(lines: list[Text], limit: int, terminal: TerminalStyle) -> RenderableType | None:
    if not lines:
        return None
    hidden = len(lines) - limit
    return Group(*lines) if hidden <= 1 else Group(*lines[:limit], Text(f"{terminal.ellipsis} {hidden} more", "dim"))
