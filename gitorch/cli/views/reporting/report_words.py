"""The sections of a report in words, which its text, its Markdown and its page share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from gitorch.cli.views import labels
from gitorch.cli.views.forecast import group_names
from gitorch.cli.views.groups import total_cost
from gitorch.cli.views.labels import Bucket
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.takeovers import takeovers
from gitorch.flow.review.values import CUT_SEARCHES
from gitorch.model.forecasts.conflict_forecast import ConflictGroup, group_conflicts
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.services.report import NightReport, ReportEntry

_PROGRAM = "orchestrate"
_NAMED = 3


_FINISHED = (Bucket.REVIEW, Bucket.MERGE, Bucket.MERGED)


class ReportSection(msgspec.Struct, frozen=True):
    """A section: its title, its lines (a name and what is said about it), and whether it is bad news.

    The names of a section with `has_commands` are commands to copy.
    """

    title: str
    lines: tuple[tuple[str, str], ...]
    is_bad: bool = False
    has_commands: bool = False


def headline(report: NightReport) -> str:
    """Return the night in one line."""
    tasks = [entry.task for entry in report.entries]
    if not tasks:
        return "nothing ran: there are no tasks"
    if not any(task.attempts or task.adopted for task in tasks):
        return f"nothing ran: {plural(len(tasks), 'task')} queued"
    finished = [task for task in tasks if labels.bucket(task) in _FINISHED]
    failing = sum(task.passed is False for task in finished)
    unchecked = sum(task.passed is None for task in finished)
    parts = [
        f"{len(finished)} of {plural(len(tasks), 'task')} finished",
        f"{failing} with failing checks" if failing else "",
        f"{unchecked} not checked" if unchecked else "",
        total_cost(tasks),
    ]
    return ", ".join(part for part in parts if part)


def is_bad(report: NightReport) -> bool:
    """Return whether the night was empty, or nothing is finished whose checks do not fail."""
    tasks = [entry.task for entry in report.entries]
    return not any(labels.bucket(task) in _FINISHED and task.passed is not False for task in tasks)


def sections(report: NightReport, now: datetime) -> list[ReportSection]:
    """Return the sections that have something to say, the most urgent first."""
    entries = report.entries
    tasks = {entry.task.id: entry.task for entry in entries}
    waiting = {task.id for task in report.waiting}
    wrong = [task for task in tasks.values() if labels.needs_attention(task)]
    well = [task for task in tasks.values() if task.passed and task not in wrong]
    paused = [task for task in tasks.values() if labels.bucket(task) in (Bucket.PAUSED, Bucket.RUNNING)]
    unlocks = labels.unlock_counts(tasks)
    all_sections = [
        ReportSection("Moved by others", tuple(("", change.what) for change in report.foreign), is_bad=True),
        ReportSection(
            "Needs you",
            tuple((entry.task.id, _need(entry, tasks, unlocks, now)) for entry in entries if entry.task.id in waiting),
        ),
        ReportSection("Went well", tuple((task.id, f"{labels.checks_passed(task)}, {task.state}") for task in well)),
        ReportSection("Went wrong", tuple((task.id, _reason(task)) for task in wrong), is_bad=True),
        ReportSection("Changed hands", tuple(takeovers(tasks.values()))),
        ReportSection("Goes on", tuple((task.id, labels.next_step(task, tasks, now)[1]) for task in paused)),
        ReportSection(
            "Would conflict",
            tuple(_conflict(group) for group in group_conflicts(report.conflicts)),
            is_bad=True,
        ),
        ReportSection("Base moved", _base_lines(report)),
        ReportSection("Next", tuple(_commands(report)), has_commands=True),
    ]
    return [section for section in all_sections if section.lines]


def _need(entry: ReportEntry, tasks: Mapping[TaskId, Task], unlocks: Mapping[TaskId, int], now: datetime) -> str:
    verb, reason = labels.next_step(entry.task, tasks, now)
    card = entry.card
    first = [signal for signal, _ in card.first_signals()] if card else []
    signals = [signal.text for number, signal in enumerate(first) if number < _NAMED or signal.kind in CUT_SEARCHES]
    size = f"+{card.added} -{card.removed}, {card.risk} risk" if card else ""
    words = [labels.unlocks(unlocks.get(entry.task.id, 0)), size, *(signals or ([reason] if reason else []))]
    return f"{verb}: " + "; ".join(word for word in words if word)


def _reason(task: Task) -> str:
    failed = ", ".join(result.name for result in task.results if not result.passed)
    return task.explanation or (f"checks failed: {failed}" if failed else str(task.state))


def _conflict(group: ConflictGroup) -> tuple[str, str]:
    names, how = group_names(group, len(group.tasks) + len(group.partners))
    return names, f"{how} {_paths(group.paths)}".strip()


def _paths(paths: Sequence[str]) -> str:
    return "in " + ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def _base_lines(report: NightReport) -> tuple[tuple[str, str], ...]:
    if not report.base_moved:
        return ()
    return (("", f"your branch has {plural(report.base_moved, 'commit')} that {report.integration} does not have"),)


def _commands(report: NightReport) -> list[tuple[str, str]]:
    tasks = [entry.task for entry in report.entries]
    buckets = {labels.bucket(task) for task in tasks}
    commands = []
    if any(entry.card for entry in report.entries):
        commands.append((f"{_PROGRAM} review", "give verdicts"))
    if question := next((task for task in tasks if labels.bucket(task) is Bucket.ANSWER), None):
        commands.append((f"{_PROGRAM} resume {question.id}", "answer the question"))
    if answered := next((task for task in tasks if labels.bucket(task) is Bucket.READ), None):
        commands.append((f"{_PROGRAM} task {answered.id}", "read the answer"))
    if Bucket.MERGE in buckets:
        commands.append((f"{_PROGRAM} merge", "merge what is approved"))
    if failed := next((task for task in tasks if labels.bucket(task) is Bucket.FIX), None):
        commands.append((f"{_PROGRAM} log {failed.id}", "see why it failed"))
    if not tasks:
        commands.append((f'{_PROGRAM} submit "what to do"', "queue a task"))
    elif not commands:
        commands.append((f"{_PROGRAM} status", "see the board"))
    return commands[:3]
