"""The timeline on the board: a bar for each task, of characters that tell what it did without any colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.time_spans import NIGHT, TimeSpan, end_of, start_of, started_attempts, task_spans
from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task
from gitorch.services.past.attempt_steps import AttemptStep

Steps = Mapping[TaskId, tuple[AttemptStep, ...]]

_SYMBOLS = {
    "queue": ("·", "."),
    "limit": ("┄", "~"),
    "prepare": ("╌", "-"),
    "agent": ("━", "="),
    "checks": ("▒", "#"),
    "bad": ("x", "x"),
}
"""The character of each kind of span, and the one for terminals without symbols."""

_WORDS = {
    "queue": "waits",
    "limit": "limit",
    "prepare": "prepares",
    "agent": "agent",
    "checks": "checks",
    "bad": "failed",
}

_PASSES = (("queue", "limit"), ("agent", "bad"), ("prepare", "checks"))
"""The kinds in the order in which they are drawn: steps are parts of an attempt, which is more than a wait."""

_SHORTEST = 60.0
_CLOCK_CELLS = 5
_NARROWEST, _WIDEST = 11, 24
_SHARE = 7  # of the width of the terminal


class BoardTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """The time that all bars show, in Unix seconds, and their width in cells."""

    start: float
    now: datetime
    cells: int
    steps: Steps
    is_running: bool

    @property
    def title(self) -> str:
        """The times of the first and the last cell."""
        first, last = (f"{time:%H:%M}" for time in (datetime.fromtimestamp(self.start, self.now.tzinfo), self.now))
        # a run that began this minute: one time says as much as the same twice
        return f"{first}{' ' * (self.cells - 2 * _CLOCK_CELLS)}{last if last != first else ' ' * _CLOCK_CELLS}"

    def bar(self, task: Task, terminal: TerminalStyle) -> str:
        """Return the bar of a task; empty if nothing of it is in this time."""
        kinds = self._kinds([*self._spans(task)])
        return "".join(terminal.pick(*_SYMBOLS[kind]) if kind else " " for kind in kinds).rstrip()

    def _spans(self, task: Task) -> Iterable[TimeSpan]:
        recent = [attempt for attempt in started_attempts(task) if end_of(attempt, self.now) >= self.start]
        yield from task_spans(task, recent, self.steps.get(task.id, ()), self.start, self.now)
        if self.is_running and task.state is State.QUEUED:
            created = task.spec.created.timestamp() if task.spec.created else self.start
            since = end_of(recent[-1], self.now) if recent else created
            yield TimeSpan("queue", since, self.now.timestamp(), "waits")

    def _kinds(self, spans: Sequence[TimeSpan]) -> list[str]:
        """Return the kind of each cell: what its middle shows; an attempt that is shorter has a cell all the same."""
        kinds = [""] * self.cells
        each = max(self.now.timestamp() - self.start, _SHORTEST) / self.cells
        for drawn in _PASSES:
            for span in spans:
                if span.kind in drawn:
                    first, last = (max((time - self.start) / each, 0.0) for time in (span.start, span.end))
                    covered = [cell for cell in range(self.cells) if first <= cell + 0.5 < last]
                    if not covered and drawn is not _PASSES[2]:
                        covered = [min(int((first + last) / 2), self.cells - 1)]
                    for cell in covered:
                        kinds[cell] = span.kind
        return kinds


def board_timeline(
    tasks: Iterable[Task], steps: Steps, run_start: datetime | None, now: datetime, width: int
) -> BoardTimeline | None:
    """Return the timeline of a run since its start; without a run, of the last 24 hours.

    `width` is that of the terminal in cells. None if there is nothing to show.
    """
    attempts = [attempt for task in tasks for attempt in started_attempts(task)]
    if run_start is None and not attempts:
        return None
    night = now.timestamp() - NIGHT.total_seconds()
    starts = [start_of(attempt) for attempt in attempts if end_of(attempt, now) >= night]
    start = run_start.timestamp() if run_start else max(min(starts, default=now.timestamp()), night)
    cells = min(max(width // _SHARE, _NARROWEST), _WIDEST)
    return BoardTimeline(start=start, now=now, cells=cells, steps=steps, is_running=run_start is not None)


def legend(bars: Iterable[str], terminal: TerminalStyle) -> str:
    """Return what the characters of these bars mean, of each that occurs."""
    seen = set("".join(bars))
    symbols = ((terminal.pick(*pair), _WORDS[kind]) for kind, pair in _SYMBOLS.items())
    return "   ".join(f"{symbol} {words}" for symbol, words in symbols if symbol in seen)
