"""A report as one HTML file: no request, no script but its own, and nothing of what agents wrote is markup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from typing import Any

from markupsafe import Markup

from gitorch.cli.terminal.sanitize import safe, safe_block
from gitorch.cli.views import labels, quantities, report_words, templates
from gitorch.cli.views.highlight import highlighted
from gitorch.cli.views.report_pictures import BOX_HEIGHT, BOX_WIDTH, CHART_WIDTH, kind, task_graph, timeline
from gitorch.git.patch_lines import LineKind, Patch, PatchLine
from gitorch.model.redact import Redactor, redacted
from gitorch.services.report import NightReport, ReportEntry

_WIDEST = 10_000
_DATA = resources.files("gitorch.data")


def page(report: NightReport, now: datetime) -> str:
    """Return the page of a report."""
    environment = templates.environment()
    environment.filters |= {"line": _line, "block": safe_block}
    style, script = _source("report.css"), _source("report.js")
    tasks = [entry.task for entry in report.entries]
    bars, covered = timeline(tasks, now)
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
            graph=task_graph(tasks),
            bars=bars,
            covered=[quantities.clock(time, now) for time in covered or ()],
            box=(BOX_WIDTH, BOX_HEIGHT),
            chart_width=CHART_WIDTH,
            entries=[_entry(entry, now) for entry in report.entries],
        )
    )


def _source(name: str) -> str:
    return (_DATA / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _line(text: object) -> str:
    return safe(str(text), width=_WIDEST)


def _entry(entry: ReportEntry, now: datetime) -> dict[str, Any]:
    task, card = entry.task, entry.card
    return {
        "task": task,
        "kind": kind(task),
        "checks": labels.checks_passed(task),
        "cost": labels.cost(task.usage),
        "took": labels.took(task.attempt, now),
        "results": [(result, labels.check_outcome(result)) for result in task.results],
        "signals": card.signals if card else (),
        "risk": card.risk if card else "",
        "commits": card.commits if card else (),
        "size": f"+{card.added} -{card.removed}" if card else "",
        "prompt": redacted(task.spec.prompt),
        "summary": redacted(task.attempt.summary) if task.attempt else "",
        "comments": [(_position(comment.file, comment.line), comment) for comment in task.comments],
        "files": list(_files(entry.patch)),
        "is_cut": entry.patch.is_cut,
    }


def _position(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file


def _files(patch: Patch) -> Iterator[tuple[str, list[tuple[PatchLine, str]]]]:
    """Yield the files of a patch: the name, and each line with its text as safe, highlighted HTML."""
    redactor = Redactor()
    name = ""
    lines: list[tuple[PatchLine, str]] = []
    for line in patch.lines:
        if line.kind is LineKind.FILE:
            if name:
                yield name, highlighted(name, lines)
            name, lines = _name(line.text), []
        elif line.kind is not LineKind.META or not line.text.startswith(("index ", "--- ", "+++ ")):
            lines.append((line, safe_block(redactor.feed(line.text + "\n")).rstrip("\n")))
    if name:
        yield name, highlighted(name, lines)


def _name(header: str) -> str:
    """Return the new name of a file from `a/OLD b/NEW`."""
    middle = header.rfind(" b/")
    quoted = header.rfind(' "b/')
    start = max(middle + 3, quoted + 4) if max(middle, quoted) >= 0 else 0
    return _line(header[start:].rstrip('"'))
