"""A report as one HTML file: no request, no script but its own, and nothing of what agents wrote is markup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from markupsafe import Markup

from gitorch.cli.terminal.sanitize import safe, safe_block
from gitorch.cli.views import labels, quantities
from gitorch.cli.views.reporting import report_words, templates
from gitorch.cli.views.reporting.report_diff import DiffFile, hunk_files, patch_files
from gitorch.cli.views.reporting.report_graph import BOX_HEIGHT, BOX_WIDTH, kind, task_graph
from gitorch.cli.views.reporting.report_timeline import CHART_WIDTH, timeline
from gitorch.cli.views.reviewing.second_look import summary as look_summary
from gitorch.flow.review.second_look import AnsweredComment
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import Event, Usage
from gitorch.model.task import Comment
from gitorch.services.report import NightReport, ReportEntry

_WIDEST = 10_000
_BOX_CELLS = 24
_SHOWN_LINES = 8
"""Lines of a section before the rest is folded: what is below it should be on the first screens."""
_DATA = resources.files("gitorch.data")


def page(report: NightReport, now: datetime) -> str:
    """Return the page of a report."""
    environment = templates.environment()
    environment.filters |= {"line": _line, "block": safe_block, "short": _short}
    style, script = _source("report.css"), _source("report.js")
    tasks = [entry.task for entry in report.entries]
    chart = timeline(report.entries, now)
    return str(
        environment.get_template("report.html").render(
            style=Markup(style),  # noqa: S704 (our own files)
            script=Markup(script),  # noqa: S704
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
            "form-action 'none'",
            report=report,
            headline=report_words.headline(report),
            is_bad=report_words.is_bad(report),
            sections=report_words.sections(report, now),
            shown_lines=_SHOWN_LINES,
            graph=task_graph(tasks),
            timeline=chart,
            box=(BOX_WIDTH, BOX_HEIGHT),
            chart_width=chart.label_width + CHART_WIDTH + 40,
            names={task.id for task in tasks},
            total=_spend([usage for task in tasks for usage in task.usages]),
            entries=[_entry(entry, now) for entry in report.entries],
        )
    )


def _source(name: str) -> str:
    return (_DATA / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _line(text: object) -> str:
    return safe(str(text), width=_WIDEST)


def _short(text: str) -> str:
    """Return a name that fits into a box and next to a bar."""
    return safe(text, width=_BOX_CELLS)


def _entry(entry: ReportEntry, now: datetime) -> dict[str, Any]:
    task, card, details = entry.task, entry.card, entry.details
    files = list(patch_files(entry.patch))
    return {
        "task": task,
        "kind": kind(task),
        "checks": labels.checks_passed(task),
        "spend": _spend(task.usages),
        "took": labels.took(task.attempt, now),
        "results": [
            (
                result,
                labels.check_outcome(result),
                quantities.duration(result.seconds),
                details.outputs.get(result.name, ""),
            )
            for result in task.results
        ],
        "signals": card.signals if card else (),
        "risk": card.risk if card else "",
        "commits": card.commits if card else (),
        "size": _size(entry, files),
        "after": f"after {', '.join(task.spec.after)}" if task.spec.after else "",
        "prompt": redacted(task.spec.prompt),
        "summary": redacted(task.attempt.summary) if task.attempt else "",
        "comments": _comments(entry),
        "look": details.look,
        "look_summary": look_summary(details.look) if details.look else "",
        "look_files": list(hunk_files(details.look.changes)) if details.look else [],
        "transcript": [_event(event) for event in details.transcript.events],
        "omitted": details.transcript.omitted,
        "files": files,
        "is_cut": entry.patch.is_cut,
    }


def _size(entry: ReportEntry, files: Sequence[DiffFile]) -> str:
    """Return the size of a task's diff; empty where it is unknown."""
    if entry.card:
        return labels.lines_changed((entry.card.added, entry.card.removed))
    if entry.patch.is_cut or not files:
        return ""
    return labels.lines_changed((sum(file.added for file in files), sum(file.removed for file in files)))


def _spend(usages: Sequence[Usage]) -> dict[str, str]:
    """Return what was spent: the cost, and the tokens in and out; empty where nothing is known."""
    total = sum(usages, start=Usage())
    has_tokens = total.input_tokens or total.output_tokens
    cost = labels.costs(usages)
    return {
        "cost": "" if cost.endswith(" tok") else cost,
        "tokens": f"{quantities.count(total.input_tokens)} in, {quantities.count(total.output_tokens)} out"
        if has_tokens
        else "",
    }


def _comments(entry: ReportEntry) -> list[tuple[Comment, str]]:
    """Return the comments of the last review with the agent's answers, and those that are not sent yet."""
    answered: Sequence[AnsweredComment] = entry.details.look.comments if entry.details.look else ()
    sent = [one.comment for one in answered]
    pending = [(comment, "") for comment in entry.task.comments if comment not in sent]
    return [*((one.comment, str(one.answer) if one.answer else "no answer") for one in answered), *pending]


def _event(event: Event) -> tuple[str, str]:
    """Return an event's kind and its text; a tool's name comes first."""
    arguments = event.text.removeprefix(event.tool).lstrip(": ")
    return event.kind, f"{event.tool}  {arguments}".rstrip() if event.kind == "tool" else event.text.strip("\n")
