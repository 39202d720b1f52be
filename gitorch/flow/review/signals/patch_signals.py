"""All signals of what a branch changes, from its patch and the two versions of its files."""

from __future__ import annotations

from collections.abc import Iterator

from gitorch.flow.review.signals.changed_checks import changed_checks
from gitorch.flow.review.signals.check_files import check_file_signals
from gitorch.flow.review.signals.dependencies import dependency_signals
from gitorch.flow.review.signals.file_signals import file_signals
from gitorch.flow.review.signals.interfaces import interface_signals
from gitorch.flow.review.signals.line_signals import line_signals
from gitorch.flow.review.signals.recipes import ReadText
from gitorch.flow.review.signals.rules import signal
from gitorch.flow.review.signals.softened_assertions import softened_assertions
from gitorch.flow.review.signals.weakened_tests import weakened_tests
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import MAX_LINES, BranchPatch
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

_MAX_BYTES = 2_000_000
"""A larger file is no configuration."""


def patch_signals(patch: BranchPatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    """Yield the signals of a patch; the functions return the text of a path before and after it."""
    for file in patch.files:
        yield from file_signals(file)
        yield from changed_checks(file, before, after)
        yield from dependency_signals(file, before, after)
        yield from line_signals(file)
    yield from check_file_signals(patch.files, before)
    yield from weakened_tests(patch.files)
    yield from softened_assertions(patch.files)
    yield from interface_signals(patch.files)
    if patch.is_cut:
        yield signal("incomplete", f"only the first {MAX_LINES} lines were searched")


def text_at(repository: Repository, commit: Oid) -> ReadText:
    """Return a function that reads the text of a path at a commit."""

    def read(path: str) -> str:
        content = repository.file(commit, path) or b""
        return content[:_MAX_BYTES].decode("utf-8", "surrogateescape")

    return read
