"""Handoffs: what an agent reports at the end of its attempt, read from its last message, with bounded length.

An agent is asked to end with four headings (`ASKED`). If it does not, its whole message counts as `done`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import TaskId
from gitorch.model.visible import readable, visible

LONGEST = 4_000
"""Characters of one part."""

MOST_FILES = 100
_LONGEST_NAME = 200
_READ = 65_536

ASKED = """\
## Done
What you did, and where.
## Decided
What you decided where the task left a choice, and why.
## Left open
What is missing, what you are not sure of, what you saw and left alone.
## How to check
Commands, and what they should show."""


class Handoff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The handoff of one attempt: the agent's message in four parts, and the changed files according to git."""

    done: str = ""
    decided: str = ""
    open: str = ""
    check: str = ""
    files: tuple[str, ...] = ()
    more_files: int = 0


class TaskHandoff(msgspec.Struct, frozen=True, kw_only=True):
    """A handoff with its task."""

    task: TaskId
    title: str
    handoff: Handoff


_PARTS = {"done": "done", "decided": "decided", "left open": "open", "how to check": "check"}
_HEADING = (
    r"(?i) {0,3}(?:#{1,6} *|\*\*)?(done|decided|left open|how to check)"
    r"(?P<end>\*\*:?|:\*\*|:|[ \t]*#*)[ \t]*(?P<rest>.*)"
)


def read(words: str, files: Sequence[str] = ()) -> Handoff:
    """Parse the handoff in an agent's last message; credentials and hidden characters are removed first."""
    parts = _parts(visible(redacted(words[:_READ])))
    return Handoff(
        **{name: _shortened(text.strip()) for name, text in parts.items()},
        files=tuple(_name(file) for file in files[:MOST_FILES]),
        more_files=max(0, len(files) - MOST_FILES),
    )


def _parts(text: str) -> dict[str, str]:
    """Return the text under each heading; the text before the first heading is used if there is no `done` part."""
    parts: dict[str, list[str]] = {"": []}
    part, fence = "", ""
    for line in text.split("\n"):
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        heading = None if fence else _heading(line)
        if heading:
            part, line = heading
            parts[part] = []  # a repeated heading replaces the earlier one
        parts[part].append(line)
    before = parts.pop("")
    if not any("".join(lines).strip() for lines in parts.values()) or "done" not in parts:
        parts["done"] = before
    return {name: "\n".join(lines) for name, lines in parts.items()}


def is_heading(line: str) -> bool:
    """Return whether a line of an agent's message begins one of the four parts."""
    return _heading(line) is not None


def _heading(line: str) -> tuple[str, str] | None:
    match = re.fullmatch(_HEADING, line)
    if match is None:
        return None
    is_marked = line.lstrip().startswith(("#", "**")) or ":" in match["end"]
    if not is_marked or (match["rest"] and ":" not in match["end"]):
        return None
    return _PARTS[match[1].lower()], match["rest"]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n[cut: {len(text) - LONGEST} characters more]"


def _name(file: str) -> str:
    # file names are bytes in git: show line ends and invalid UTF-8 as escapes
    printable = visible(readable(file).replace("\n", "\\n"))
    return printable if len(printable) <= _LONGEST_NAME else f"{printable[:_LONGEST_NAME]}[...]"


def render(handoff: Handoff) -> str:
    """Return a handoff as plain text. The facts from git come first, so that an agent cannot fake them."""
    count = len(handoff.files) + handoff.more_files
    overflow = f", and {handoff.more_files} more" if handoff.more_files else ""
    files = f"Files changed ({count}): {', '.join(handoff.files)}{overflow}" if count else "Files changed: none"
    return f"{files}\n{render_sections(handoff) or 'The agent left no message.'}"


def render_sections(handoff: Handoff) -> str:
    """Return the parts of a handoff under their headings; `read` parses them again."""
    parts = (("Done", handoff.done), ("Decided", handoff.decided), ("Left open", handoff.open))
    return "\n".join(f"{title}:\n{text}" for title, text in (*parts, ("How to check", handoff.check)) if text)
