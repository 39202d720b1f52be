"""The diffs of a report as safe HTML: runs of lines that a stylesheet lays out unified or side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from gitorch.cli.terminal.sanitize import safe, safe_block
from gitorch.cli.views.reporting.highlight import highlighted
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.git.diff.patch_lines import LineKind, Patch, PatchLine
from gitorch.model.credentials.redaction import Redactor

_WIDEST = 10_000
_SMALL_META = ("index ", "--- ", "+++ ")


class DiffRun(msgspec.Struct, frozen=True):
    """Lines that belong together: `kind` is hunk, context or change. Each line comes with its text as HTML."""

    kind: str
    lines: tuple[tuple[PatchLine, str], ...]


class DiffFile(msgspec.Struct, frozen=True):
    """A file of a diff: its name, how many lines were added and removed, and its runs. One only renamed is folded."""

    name: str
    added: int
    removed: int
    runs: tuple[DiffRun, ...]
    is_renamed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its lines are shown at once."""
        return not self.is_renamed or bool(self.added or self.removed)


def patch_files(patch: Patch) -> Iterator[DiffFile]:
    """Yield the files of a patch."""
    name = ""
    lines: list[PatchLine] = []
    for line in patch.lines:
        if line.kind is LineKind.FILE:
            if name:
                yield _file(name, lines)
            name, lines = _name(line.text), []
        elif line.kind is not LineKind.META or not line.text.startswith(_SMALL_META):
            lines.append(line)
    if name:
        yield _file(name, lines)


def hunk_files(hunks: Sequence[HunkPatch]) -> Iterator[DiffFile]:
    """Yield the files of some hunks."""
    for path, group in groupby(hunks, key=lambda hunk: hunk.file.path):
        lines: list[PatchLine] = []
        for hunk in group:
            if hunk.hunk is not None:
                lines += [PatchLine(LineKind.HUNK, hunk.hunk.header), *hunk.hunk.lines]
        yield _file(safe(path, width=_WIDEST), lines)


def _file(name: str, lines: Sequence[PatchLine]) -> DiffFile:
    if any("\0" in line.text for line in lines):
        lines = [PatchLine(LineKind.META, "a binary file")]
    redactor = Redactor()
    texts = [(line, safe_block(redactor.feed(line.text + "\n")).rstrip("\n")) for line in lines]
    runs = tuple(
        DiffRun(kind, tuple(run)) for kind, run in groupby(highlighted(name, texts), key=lambda pair: _run(pair[0]))
    )
    kinds = [line.kind for line in lines]
    is_renamed = any(line.kind is LineKind.META and line.text.startswith("rename to ") for line in lines)
    return DiffFile(name, kinds.count(LineKind.ADDED), kinds.count(LineKind.REMOVED), runs, is_renamed)


def _run(line: PatchLine) -> str:
    if line.kind in (LineKind.ADDED, LineKind.REMOVED):
        return "change"
    return "context" if line.kind is LineKind.CONTEXT else "hunk"


def _name(header: str) -> str:
    """Return the new name of a file from `a/OLD b/NEW`."""
    middle = header.rfind(" b/")
    quoted = header.rfind(' "b/')
    start = max(middle + 3, quoted + 4) if max(middle, quoted) >= 0 else 0
    return safe(header[start:].rstrip('"'), width=_WIDEST)
