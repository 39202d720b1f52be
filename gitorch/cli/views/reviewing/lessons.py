"""Comments that were made on several tasks, and the commands that bring them to every agent."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import block, commands, prose, stack
from gitorch.cli.terminal.sanitize import safe
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.views.quantities import plural
from gitorch.cli.views.status import PROGRAM
from gitorch.model.review.lessons import RepeatedComment

_WAYS = (
    ("Add this line to AGENTS.md: {line}", "for every agent"),
    ("Add this to the instructions of the role that it is about, in .orchestrate.toml: {line}", "for one role"),
    ("Add a check to .orchestrate.toml that fails where this is not kept: {line}", "as a check"),
)


def repeated_comments(repeated: Sequence[RepeatedComment], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return each comment with its tasks, and one command for each way to keep it; nothing is done by itself."""
    terminal = terminal or stdout_style()
    if not repeated:
        return Text("no comment was made on two tasks")
    parts: list[RenderableType | None] = []
    for entry in repeated:
        names = ", ".join(map(terminal.clean, entry.tasks))
        parts += [prose((f"said on {plural(len(entry.tasks), 'task')}: ", "bold"), names), block(entry.text, terminal)]
        parts += [commands(hints(entry, terminal), terminal), Text("")]
    return stack(parts[:-1])


def hints(entry: RepeatedComment, terminal: TerminalStyle) -> list[tuple[str, str]]:
    """Return a command that queues a task for each way to keep a comment, with its purpose."""
    line = terminal.clean(entry.line)
    return [(f"{PROGRAM} submit {shlex.quote(words.format(line=line))}", purpose) for words, purpose in _WAYS]


def offer(repeated: Sequence[RepeatedComment]) -> str:
    """Return in one line that comments were made before, and the command that shows them."""
    first = " ".join(safe(repeated[0].text).split())
    excerpt = first if len(first) <= 60 else f"{first[:57]}..."
    return f'said on {plural(len(repeated[0].tasks), "task")}: "{excerpt}"; say it once: {PROGRAM} review --repeated'
