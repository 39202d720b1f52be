"""Resolutions of conflicts that no person has seen: what was resolved, on which evidence, and whether it is proven."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, prose
from gitorch.cli.terminal.style import Span, TerminalStyle
from gitorch.cli.views.quantities import listed, plural
from gitorch.model.naming import TaskId
from gitorch.model.resolution import Resolution

MAX_RESOLUTIONS = 8
"""How many resolutions are listed before the rest is only counted."""

_MAX_NOT_PROVEN = 3
_MAX_SENTENCES = 3
_MERGED = "merged work"


def resolution_lines(resolutions: Sequence[Resolution], terminal: TerminalStyle) -> list[RenderableType]:
    """Return the section of resolutions: proven ones first; nothing if there are none."""
    if not resolutions:
        return []
    ordered = sorted(resolutions, key=lambda resolution: not resolution.proven)
    items = bullets((resolution_item(entry, terminal) for entry in ordered[:MAX_RESOLUTIONS]), 2)
    hidden = len(ordered) - MAX_RESOLUTIONS
    note = [Text(f"  {terminal.ellipsis} {plural(hidden, 'more resolution')} (see --json)", "dim")]
    return [Text("Resolutions", "bold"), *([items] if items else []), *(note if hidden > 0 else [])]


def resolution_of(resolutions: Iterable[Resolution], name: TaskId, terminal: TerminalStyle) -> RenderableType | None:
    """Return the resolution of one task's conflict, for its page; None if there is none."""
    return bullets(
        (_mark(resolution, terminal), _details(resolution, terminal, with_task=False))
        for resolution in resolutions
        if resolution.task == name
    )


def resolution_item(resolution: Resolution, terminal: TerminalStyle) -> tuple[Span, Text]:
    """Return the mark of a resolution, and what it resolves."""
    return _mark(resolution, terminal), _details(resolution, terminal)


def brief_resolutions(resolutions: Sequence[Resolution], terminal: TerminalStyle) -> list[tuple[Span, Text]]:
    """Return the resolutions in few lines: of those that are not proven, without evidence, some and how many more."""
    proven = [entry for entry in resolutions if entry.proven]
    others = [entry for entry in resolutions if not entry.proven]
    items = [resolution_item(entry, terminal) for entry in proven[:MAX_RESOLUTIONS]]
    items += [
        (_mark(entry, terminal), Text("resolution: ").append(_head(entry, terminal)))
        for entry in others[:_MAX_NOT_PROVEN]
    ]
    if (hidden := len(resolutions) - len(items)) > 0:
        items.append(((terminal.ellipsis, "dim"), prose((f"{plural(hidden, 'more resolution')} (see --json)", "dim"))))
    return items


def _mark(resolution: Resolution, terminal: TerminalStyle) -> Span:
    if resolution.proven:
        return terminal.pick("✓", "+"), "green"
    return terminal.pick("▲", "!"), "yellow"


def _details(resolution: Resolution, terminal: TerminalStyle, *, with_task: bool = True) -> Text:
    text = _head(resolution, terminal, with_task=with_task)
    for sentence in resolution.evidence[:_MAX_SENTENCES]:
        text.append("\n").append(terminal.clean(sentence), "dim")
    return text


def _head(resolution: Resolution, terminal: TerminalStyle, *, with_task: bool = True) -> Text:
    partners = ", ".join(map(terminal.clean, resolution.partners)) or _MERGED
    task = ((terminal.clean(resolution.task), "bold"), " ") if with_task else ()
    paths = listed([*map(terminal.clean, resolution.paths)])
    text = prose(*task, "with ", (partners, "bold"), f" in {paths} ({', '.join(resolution.kinds)}): ")
    return text.append(*_outcome(resolution, terminal))


def _outcome(resolution: Resolution, terminal: TerminalStyle) -> Span:
    if resolution.proven:
        return f"proven by {plural(len(resolution.checks), 'check')}", "green"
    return terminal.clean(f"not proven: {resolution.reason}"), "yellow"
