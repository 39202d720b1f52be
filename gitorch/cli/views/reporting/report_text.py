"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

import re
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, prose, stack
from gitorch.cli.terminal.sanitize import safe
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.views.reporting import report_words
from gitorch.services.report import NightReport

_WIDEST = 10_000
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>&~])")


def text(report: NightReport, *, terminal: TerminalStyle | None = None, now: datetime | None = None) -> RenderableType:
    """Return a report as text."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    style = "bold red" if report_words.is_bad(report) else "bold"
    parts: list[RenderableType | None] = [
        prose((terminal.clean(report.repository), "bold"), "   ", (report_words.headline(report), style))
    ]
    for section in report_words.sections(report, now):
        parts += [Text(""), Text(section.title, "bold red" if section.is_bad else "bold")]
        for name, words in section.lines:
            gap = "   " if name and words else ""
            parts.append(bullets([((" ", ""), prose((terminal.clean(name), "bold"), gap, terminal.clean(words)))]))
    return stack(parts)


def markdown(report: NightReport, now: datetime) -> str:
    """Return a report as Markdown, in which nothing of what agents wrote is markup."""
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
    return _SPECIAL.sub(r"\\\1", safe(text, width=_WIDEST))
