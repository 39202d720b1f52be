"""What a resolution changed, for a pager: the two sides of each conflict, and which side each line of the result is of.

Both sides added something: neither is shown as removed or added lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group
from rich.text import Text

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.quantities import plural
from gitorch.replay.resolved_hunks import ResolvedHunk
from gitorch.services.merging.resolution_diff import ShownFile, ShownResolution

_OURS, _THEIRS, _NEW = "cyan", "magenta", "yellow"
_MERGED = "merged work"


def resolution_diff(resolutions: Iterable[ShownResolution], terminal: TerminalStyle) -> str:
    """Return the page of a task's resolutions as text."""
    lines = [line for resolution in resolutions for line in _resolution(resolution, terminal)]
    return render(Group(*lines), terminal) + "\n"


def _resolution(resolution: ShownResolution, terminal: TerminalStyle) -> Iterator[Text]:
    partners = ", ".join(map(terminal.clean, resolution.partners)) or _MERGED
    yield _line(
        (terminal.clean(resolution.task), "bold"), " with ", (partners, "bold"), ": ", _outcome(resolution, terminal)
    )
    for file in resolution.files:
        for sentence in file.file.evidence:
            yield _line((f"  {terminal.clean(sentence)}", "dim"))
        yield from _file(resolution, file, partners, terminal)


def _outcome(resolution: ShownResolution, terminal: TerminalStyle) -> tuple[str, str]:
    published = f", published in {resolution.commit[:7]}" if resolution.commit else ""
    if resolution.proven:
        return f"proven by {plural(len(resolution.checks), 'check')}{published}", "green"
    return (
        (f"not proven: {terminal.clean(resolution.reason)}", "yellow")
        if resolution.reason
        else (f"known{published}", "")
    )


def _file(resolution: ShownResolution, file: ShownFile, partners: str, terminal: TerminalStyle) -> Iterator[Text]:
    path = terminal.clean(file.file.path)
    if file.hunks is None:
        yield _line((f"{path} ({file.file.kind}): too large, or no text: see the blobs in --json", "dim"))
        return
    for hunk in file.hunks:
        yield Text("")
        yield _line((f"{path}:{hunk.line}", "bold"), f" ({file.file.kind})")
        yield from _side("|", "both started from", "dim", hunk.base, terminal)
        yield from _side("<", partners, _OURS, hunk.ours, terminal)
        yield from _side(">", terminal.clean(resolution.task), _THEIRS, hunk.theirs, terminal)
        yield _line(("the result", "dim"))
        for text, mark, style in _marked(hunk):
            yield _line((f"{mark} {terminal.clean(text)}", style))


def _side(mark: str, name: str, style: str, lines: Sequence[str], terminal: TerminalStyle) -> Iterator[Text]:
    yield _line((name, "dim"))
    for text in lines:
        yield _line((f"{mark} {terminal.clean(text)}", style))
    if not lines:
        yield _line((f"{mark} (nothing)", "dim"))


def _marked(hunk: ResolvedHunk) -> Iterator[tuple[str, str, str]]:
    """Yield the lines of a result with the mark and the style of the side that they come from."""
    our_lines, their_lines = set(hunk.ours), set(hunk.theirs)
    for text in hunk.result:
        if (text in our_lines) == (text in their_lines):
            yield (text, " ", "") if text in our_lines else (text, "*", _NEW)
        else:
            yield (text, "<", _OURS) if text in our_lines else (text, ">", _THEIRS)


def _line(*spans: tuple[str, str] | str) -> Text:
    return Text.assemble(*spans, no_wrap=True, overflow="ignore")
