"""Signals of single lines: commands that cannot fail, skipped tests, silenced checks, hidden characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gitorch.flow.review.signals import rules
from gitorch.flow.review.signals.rules import LineRule, is_in_any, signal
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import FilePatch
from gitorch.git.diff.patch_lines import PatchLine

_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\U000e0000-\U000e007f]")
_LONGEST_TEXT = 80
_STRICT = re.compile(
    r"fail.?under|threshold|coverage|minimum|min_|branches|functions|lines|statements|score|target|precision", re.I
)
_LENIENT = re.compile(r"max|limit|allowed|tolerance|timeout", re.I)
_NUMBER = re.compile(r"(.*?[^\w.])(\d+(?:\.\d+)?)(\D*)$")


def line_signals(file: FilePatch) -> Iterator[RiskSignal]:
    """Yield the signals of a file's added and removed lines."""
    added, removed = file.added, file.removed
    for rule in rules.table().added:
        if is_in_any(file.path, rule.lists):
            yield from _added(rule, file.path, added, removed)
    for rule in rules.table().removed:
        if is_in_any(file.old_path, rule.lists):
            yield from _removed(rule, file, added, removed)
    if is_in_any(file.path, ("ci", "commands", "runners")):
        yield from _lowered(file.path, added, removed)
    if is_in_any(file.path, ("code", "ci", "commands", "hooks")):
        for line in added:
            if _HIDDEN.search(line.text):
                yield signal("hidden-characters", "invisible or reordering characters", file.path, line.new or 0)


def _added(rule: LineRule, path: str, added: Iterable[PatchLine], removed: Iterable[PatchLine]) -> Iterator[RiskSignal]:
    pattern = rules.pattern(rule)
    # a line that only moved, or was edited around the match, is not new
    earlier = [match[0] for line in removed if (match := pattern.search(line.text))]
    for line in added:
        match = pattern.search(line.text)
        if match and match[0] in earlier:
            earlier.remove(match[0])
        elif match:
            yield signal(rule.kind, f"{rule.text}: {excerpt(line.text)}", path, line.new or 0)


def _removed(rule: LineRule, file: FilePatch, added: list[PatchLine], removed: list[PatchLine]) -> Iterator[RiskSignal]:
    pattern = rules.pattern(rule)
    active = [line for line in added if not line.text.lstrip().startswith(("#", "//"))]
    later = [match[0] for line in active for match in pattern.finditer(line.text)]
    for line in removed:
        if line.text.lstrip().startswith(("#", "//")):
            continue
        for match in pattern.finditer(line.text):
            if match[0] in later:
                later.remove(match[0])
            else:
                yield signal(rule.kind, f"{rule.text}: {excerpt(line.text)}", file.path, line.new or 0)
                break


def _lowered(path: str, added: Iterable[PatchLine], removed: Iterable[PatchLine]) -> Iterator[RiskSignal]:
    """Yield the numbers of limits that became weaker: `fail_under = 90` to 60, `--max-warnings=0` to 50."""
    before = {(match[1], match[3]): float(match[2]) for line in removed if (match := _NUMBER.match(line.text))}
    for line in added:
        match = _NUMBER.match(line.text)
        old = before.get((match[1], match[3])) if match else None
        if match is None or old is None:
            continue
        number = float(match[2])
        name = match[1]
        if (_STRICT.search(name) and number < old) or (
            _LENIENT.search(name) and not _STRICT.search(name) and number > old
        ):
            text = f"a limit became weaker ({old:g} to {number:g}): {excerpt(line.text)}"
            yield signal("check-weakened", text, path, line.new or 0)


def excerpt(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
