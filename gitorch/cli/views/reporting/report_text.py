"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

import re
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import Hanging, bullets, commands, prose, stack
from gitorch.cli.terminal.sanitize import safe
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.views.reporting import report_words
from gitorch.services.report import NightReport

_WIDEST = 10_000
_INDENT = 2
"""Cells by which the words of a task go on to the right of its name."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>&~$])")

# A forge looks for references in what a reader would see, so a backslash in front of one does not stop it: names of
# people and teams, issues and merge requests (`#1`, `!1`, `&1`, `GH-1`), and addresses, which may be those of issues.
_IN_REFERENCE = re.compile(r"(?<=@)|(?<=[#!&])(?=\w)|(?<=\bGH-)(?=\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_NO_WIDTH = "\u200b"
"""A space without width: in the middle of a reference, it makes plain text of it."""


def text(report: NightReport, *, terminal: TerminalStyle | None = None, now: datetime | None = None) -> RenderableType:
    """Return a report as text."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    style = "bold red" if report_words.is_bad(report) else "bold"
    parts: list[RenderableType | None] = [
        prose((terminal.clean(report.repository), "bold"), "   ", (report_words.headline(report), style))
    ]
    for section in report_words.sections(report, now):
        parts += [Text(""), Text(section.title, "bold red" if section.is_bad else "bold")]
        if section.has_commands:
            parts.append(commands(section.lines, terminal))
            continue
        for name, words in section.lines:
            line = prose((terminal.clean(name), "bold"), "   " if name and words else "", terminal.clean(words))
            parts.append(bullets([((" ", ""), Hanging(line, _INDENT))]))
    return stack(parts)


def markdown(report: NightReport, now: datetime) -> str:
    """Return a report as Markdown; nothing of what others wrote is markup, mentions a person, or refers to an issue."""
    lines = [f"# {_escaped(report.repository)}: {_escaped(report_words.headline(report))}", ""]
    for section in report_words.sections(report, now):
        lines += [f"## {section.title}", ""]
        lines += [
            f"- **{_escaped(name)}** {_escaped(words)}" if name else f"- {_escaped(words)}"
            for name, words in section.lines
        ]
        lines.append("")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    unlinked = _IN_REFERENCE.sub(_NO_WIDTH, safe(text, width=_WIDEST))
    return _SPECIAL.sub(r"\\\1", unlinked).replace(_NO_WIDTH, f"&#{ord(_NO_WIDTH)};")
