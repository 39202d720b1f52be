"""What changed since a review: the new hunks, with the earlier comments and the agent's answers beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from gitorch.cli.terminal.hunk_text import patch_text
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.quantities import plural
from gitorch.flow.review.second_look import AnsweredComment, SecondLook
from gitorch.git.diff.hunk_ids import HunkPatch

_WIDTH = 10_000  # of what is no terminal
_VERDICTS = {"revise": "sent back", "approve": "approved", "reject": "rejected", "ask": "asked about"}


def second_look(comparison: SecondLook, terminal: TerminalStyle, colours: Mapping[str, str] | None = None) -> str:
    """Return the page of a second look as text, for a pager."""
    placed = _placed(comparison)
    shown = {entry.number for entries in placed.values() for entry in entries}

    def beside(hunk: HunkPatch) -> Iterator[str]:
        for entry in placed.get(hunk.place, ()):
            yield from _comment(entry, terminal)

    unplaced = [
        line for entry in comparison.comments if entry.number not in shown for line in _comment(entry, terminal)
    ]
    head = [
        *textwrap.wrap(f"since {summary(comparison)}", terminal.width or _WIDTH),
        *map(terminal.clean, comparison.commits),
        *unplaced,
    ]
    return "\n".join([*head, ""]) + patch_text(comparison.changes, colours, beside)


def summary(comparison: SecondLook) -> str:
    """Return in one line what changed since the last verdict, and how many comments were answered."""
    marks = comparison.marks
    parts = [f"it was {_VERDICTS.get(marks.verdict, marks.verdict)} (attempt {marks.attempt})"]
    parts.append(f"{plural(len(comparison.hunks), 'hunk')} to look at" if comparison.hunks else "nothing to look at")
    if comparison.gone:
        parts.append(f"{plural(comparison.gone, 'change')} gone")
    if comparison.comments:
        parts.append(f"{comparison.answered} of {plural(len(comparison.comments), 'comment')} answered")
    return ", ".join(parts)


def _placed(comparison: SecondLook) -> dict[str, list[AnsweredComment]]:
    """Return the comments by the place of their hunk: that with their line, or the first of the file."""
    placed: dict[str, list[AnsweredComment]] = {}
    for entry in comparison.comments:
        comment = entry.comment
        hunks = [
            hunk for hunk in comparison.changes if comment.file and comment.file in (hunk.file.path, hunk.file.old_path)
        ]
        if hunks:
            hunk = next((hunk for hunk in hunks if comment.line in hunk.lines), hunks[0])
            placed.setdefault(hunk.place, []).append(entry)
    return placed


def _comment(entry: AnsweredComment, terminal: TerminalStyle) -> Iterator[str]:
    comment = entry.comment
    place = f"{comment.place} ({comment.side})" if comment.side else comment.place
    first, *more_lines = terminal.clean_block(comment.text).split("\n")
    mark = terminal.pick("▲", "!")
    yield f"{mark} {entry.number}. {terminal.clean(place)}{': ' if place else ''}{first}"
    yield from (f"     {line}" for line in more_lines)
    answer, *more = terminal.clean_block(str(entry.answer)).split("\n") if entry.answer else ["no answer"]
    yield f"  {terminal.pick('↳', '->')} {answer}"
    yield from (f"     {line}" for line in more)
