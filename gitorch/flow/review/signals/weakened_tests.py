"""Signals of tests that were deleted or check less than before. A test that moved to another file is neither."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gitorch.flow.review.signals.rules import is_in, signal
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import NO_FILE, FilePatch, Hunk
from gitorch.git.diff.patch_lines import LineKind, PatchLine

_TEST = re.compile(
    r"^\s*(?:async )?def (test\w*)"
    r"|^\s*[xf]?(?:it|test|specify)(?:\.\w+)*(?:\([^)]*\)|`[^`]*`)?\s*\(\s*(['\"`].*?['\"`])"
    r"|^func (Test\w+|Benchmark\w+|Fuzz\w+)\(|^\s*(?:it|specify|test) (['\"].*?['\"])"
    r"|^\s*(?:async )?fn (test_\w+|\w+_test)\("
    r"|^\s*(?:public )?(?:void|function|async Task|Task|fun) (test\w*|\w*[tT]est\w*)\("
)
_MARK = re.compile(r"^\s*(?:#\[(?:tokio::)?test\]|@(?:Parameterized)?Test\b|\[(?:Fact|Theory|Test|TestMethod)\b)")
_ASSERTION = re.compile(
    r"\bassert\w*\b|\bexpect\w*\s*[.(]|\.should\b|\bshould\.|\brequire\.\w+\(|"
    r"\bt\.(?:Error|Fatal|Fail)\w*\(|\bEXPECT_\w+|"
    r"\bCHECK\w*\(|\bpytest\.(?:raises|warns)\b|\bXCTAssert\w*|\bAssert\.\w+|\bself\.fail\(|\bmust_\w+|\bcmp\.Diff"
)
_COLLECTED = re.compile(r"^test_\w+\.py$|_test\.\w+$|\.(?:test|spec)\.\w+$|_spec\.\w+$|Tests?\.\w+$")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|<!--|--)")
_LONGEST_NAME = 60
_ENOUGH_CODE = 5
"""Added lines of code that should come with a test."""


def weakened_tests(files: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    """Yield the signals of all test files of a branch together."""
    tests = [file for file in files if is_test(file)]
    yield from _deleted(tests)
    yield from _fewer_assertions(tests)
    yield from _snapshots(files)
    yield from _untested_code(files)


def is_test(file: FilePatch) -> bool:
    """Return whether a file holds tests: by its name, and because it is code."""
    return any(is_in(path, "tests") and is_in(path, "code") for path in (file.path, file.old_path))


def _deleted(tests: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    added = Counter(name for file in tests for _, name in _names(file.added))
    for file in tests:
        for hunk in file.hunks:
            spare = len(_names(_added(hunk))) - len(_names(hunk.removed))
            for line, name in _names(hunk.removed):
                if added[name] > 0:  # it moved, or was changed
                    added[name] -= 1
                elif file.new_mode == NO_FILE or spare < 0:  # no other test is where it was
                    text = f"a test was deleted: {name[:_LONGEST_NAME]}"
                    yield signal("test-deleted", text, file.path, _line(file, line))
        if file.is_rename and _is_collected(file.old_path) and not _is_collected(file.path):
            yield signal("test-deleted", f"renamed from {file.old_path}: no test runner looks for this name", file.path)
        if file.new_mode == NO_FILE and not _names(file.removed) and any(map(_is_assertion, file.removed)):
            yield signal("test-deleted", "a file of tests was deleted", file.path)
    yield from _fewer_marks(tests)


def _is_collected(path: str) -> bool:
    """Return whether a test runner finds a file by its name."""
    return bool(_COLLECTED.search(path.rpartition("/")[2]))


def _fewer_marks(tests: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    """Yield a signal if fewer functions are marked as tests (`@Test`, `#[test]`) than before."""
    marks = [(file, line) for file in tests for line in file.removed if _MARK.match(line.text)]
    lost = len(marks) - sum(bool(_MARK.match(line.text)) for file in tests for line in file.added)
    if lost > 0:
        file, line = marks[0]
        yield signal("test-deleted", f"{lost} tests fewer than before", file.path, _line(file, line))


def _names(lines: Iterable[PatchLine]) -> list[tuple[PatchLine, str]]:
    matches = [(line, _TEST.match(line.text)) for line in lines]
    return [(line, next(filter(None, match.groups()), "")) for line, match in matches if match]


def _added(hunk: Hunk) -> list[PatchLine]:
    return [line for line in hunk.lines if line.kind is LineKind.ADDED]


def _line(file: FilePatch, line: PatchLine) -> int:
    return 0 if file.new_mode == NO_FILE else line.new or 0


def _is_assertion(line: PatchLine) -> bool:
    return bool(_ASSERTION.search(line.text)) and not _COMMENT.match(line.text)


def _fewer_assertions(tests: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    remaining = [file for file in tests if file.new_mode != NO_FILE]
    balance = sum(_balance(file) for file in tests)
    for file in remaining:
        lost = -_balance(file)
        if lost > 0 and balance < 0:
            first = next(line for line in file.removed if _is_assertion(line))
            number = min(lost, -balance)
            words = "an assertion fewer" if number == 1 else f"{number} assertions fewer"
            yield signal("fewer-assertions", f"{words} than before", file.path, first.new or 0)


def _balance(file: FilePatch) -> int:
    return sum(map(_is_assertion, file.added)) - sum(map(_is_assertion, file.removed))


def _snapshots(files: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    for file in files:
        if is_in(file.path, "snapshots") and file.old_mode != NO_FILE and file.hunks:
            text = "expected output was deleted" if file.new_mode == NO_FILE else "expected output was rewritten"
            line = 0 if file.new_mode == NO_FILE else max(file.hunks[0].new, 1)
            yield signal("snapshot-changed", text, file.path, line)


def _untested_code(files: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    if any(is_in(file.path, "tests") and file.added for file in files):
        return
    sources = [
        file
        for file in files
        if is_in(file.path, "code") and not is_in(file.path, "generated") and not is_in(file.path, "tests")
    ]
    lines = [
        (file, line) for file in sources for line in file.added if line.text.strip() and not _COMMENT.match(line.text)
    ]
    if len(lines) >= _ENOUGH_CODE:
        file, line = lines[0]
        yield signal("no-test", f"{len(lines)} lines of code, and no test was added", file.path, line.new or 0)
