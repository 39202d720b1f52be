"""Patch ids of hunks: what a reviewer has viewed is recognised by them, whatever it stands on now.

As `git patch-id` does, an id leaves out line numbers. It leaves out context as well, because a rebase changes context
and splits or joins hunks: each run of changed lines of a hunk has its own id, of the path and the exact lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from gitorch.git.diff.file_patches import BranchPatch, FilePatch, Hunk
from gitorch.git.diff.patch_lines import LineKind, PatchLine

_LENGTH = 16


class HunkPatch(msgspec.Struct, frozen=True):
    """A hunk of a branch with its patch ids; `hunk` is None for what has no lines (a mode, a rename, a binary file)."""

    file: FilePatch
    hunk: Hunk | None
    ids: tuple[str, ...]

    @property
    def line(self) -> int:
        """The first line that it changes, in the new file; 0 for what has no lines."""
        if self.hunk is None:
            return 0
        changed = [line.new for line in (*self.hunk.lines, *self.hunk.removed) if _is_changed(line) and line.new]
        return min(changed, default=self.hunk.new)

    @property
    def lines(self) -> range:
        """The lines of the new file that it shows."""
        numbers = [line.new for line in self.hunk.lines if line.new] if self.hunk else []
        return range(min(numbers, default=0), max(numbers, default=0) + 1)

    @property
    def place(self) -> str:
        """The file and the first changed line."""
        return f"{self.file.path}:{self.line}" if self.line else self.file.path


def hunk_patches(patch: BranchPatch) -> list[HunkPatch]:
    """Return all hunks of a branch, in the order of its files."""
    return [hunk for file in patch.files for hunk in _of_file(file)]


def _of_file(file: FilePatch) -> Iterator[HunkPatch]:
    if file.is_binary:
        yield HunkPatch(
            file, None, (_digest("file", file.old_path, file.path, file.old_mode, file.new_mode, file.new_id),)
        )
        return
    if not file.hunks or file.old_path != file.path or (file.status == "M" and file.old_mode != file.new_mode):
        content = () if file.hunks else (file.new_id,)
        yield HunkPatch(
            file, None, (_digest("file", file.old_path, file.path, file.old_mode, file.new_mode, *content),)
        )
    for hunk in file.hunks:
        yield HunkPatch(file, hunk, tuple(_ids(file.path, hunk)))


def _ids(path: str, hunk: Hunk) -> Iterator[str]:
    """Yield the id of each run of changed lines; what git says of a missing line end belongs to the line before."""
    run: list[str] = []
    for line in hunk.lines:
        if _is_changed(line):
            run.append(("+" if line.kind is LineKind.ADDED else "-") + line.text)
        elif line.kind is LineKind.META and run:
            run.append(line.text)
        elif run:
            yield _digest(path, *run)
            run = []
    if run:
        yield _digest(path, *run)


def _is_changed(line: PatchLine) -> bool:
    return line.kind in (LineKind.ADDED, LineKind.REMOVED)


def _digest(*parts: str) -> str:
    content = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:_LENGTH]
