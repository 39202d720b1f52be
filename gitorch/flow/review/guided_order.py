"""The order in which a reviewer reads a branch: what others use first, then its users, tests, documents, the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gitorch.flow.review.signals.rules import is_in
from gitorch.git.diff.file_patches import BranchPatch, FilePatch

CODE, TEST, DOCUMENT, GENERATED, RENAMED = "code", "test", "document", "generated", "renamed"
_GROUPS = (CODE, TEST, DOCUMENT, GENERATED, RENAMED)

_DECLARED = re.compile(
    r"\b(?:def|class|function|func|fn|const|let|var|val|type|interface|struct|enum|trait|module|object|#define)\s+"
    r"(?:\([^)]*\)\s*)?([A-Za-z_]\w{2,})|^([A-Za-z_]\w{2,})\s*(?::[^=]+)?=[^=]"
)
_IMPORT = re.compile(r"^\s*(?:from|import|use|using|require\w*|#include|mod|export .* from)\b|.*\brequire\(")
_IMPORTED = "import "
_WORD = re.compile(r"[A-Za-z_]\w{2,}")


def group(file: FilePatch) -> str:
    """Return what a changed file is for a reader; generated and only renamed files can be folded."""
    if not file.hunks and file.is_rename:
        return RENAMED
    if is_in(file.path, "generated"):
        return GENERATED
    if is_in(file.path, "tests") or is_in(file.path, "snapshots"):
        return TEST
    # what agents are told steers what they do, as code does
    return DOCUMENT if is_in(file.path, "documents") and not is_in(file.path, "instructions") else CODE


def guided(patch: BranchPatch) -> BranchPatch:
    """Return a patch with its files in the order to read them: each exactly once."""
    files = [file for name in _GROUPS for file in _by_use([file for file in patch.files if group(file) == name])]
    return BranchPatch(tuple(files), patch.is_cut)


def _by_use(files: Sequence[FilePatch]) -> list[FilePatch]:
    """Sort files so that one comes after those whose new declarations it uses; ties and cycles keep git's order."""
    names = [_names(file) for file in files]
    words = [{word for line in file.added for word in _words(line.text)} for file in files]
    needs = [
        {other for other in range(len(files)) if other != user and names[other] & words[user]}
        for user in range(len(files))
    ]
    order: list[int] = []
    remaining = list(range(len(files)))
    while remaining:
        waiting = set(remaining)
        position = min(remaining, key=lambda number: (len(needs[number] & waiting), number))
        order.append(position)
        remaining.remove(position)
    return [files[number] for number in order]


def _names(file: FilePatch) -> set[str]:
    """Return the names that the added lines of a file declare, and its own name, by which it is imported."""
    stem = file.path.rpartition("/")[2].partition(".")[0]
    return {*_declared(line.text for line in file.added), f"{_IMPORTED}{stem}"}


def _words(line: str) -> list[str]:
    """Return the names in a line; those that it imports also as names of files."""
    words = _WORD.findall(line)
    return [*words, *(f"{_IMPORTED}{word}" for word in words)] if _IMPORT.match(line) else words


def _declared(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if match := _DECLARED.search(line):
            yield match[1] or match[2]
