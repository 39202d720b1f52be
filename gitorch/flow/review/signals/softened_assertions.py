"""Signals of assertions that accept more than before: one value became several, or a tolerance was raised."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from gitorch.flow.review.signals.rules import signal
from gitorch.flow.review.signals.weakened_tests import is_test
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import NO_FILE, FilePatch
from gitorch.git.diff.patch_lines import LineKind, PatchLine

_EXACT = re.compile(
    r"^\s*assert (?!not\b).*==|\bassert(?:Equals?|_equal|_eq!|Same|ListEqual|DictEqual|CountEqual|SequenceEqual)\b\(?"
    r"|\.(?:toBe|toEqual|toStrictEqual|toHaveLength)\(|\.to\.(?:deep\.)?(?:equal|eql)\(|\b(?:assert|require)\.Equal\("
    r"|\bassert\.(?:strictEqual|deepEqual|deepStrictEqual|equal)\("
)
_LOOSE = re.compile(
    r"^\s*assert\s(?!.*\bis (?!not\b))"
    r"|\bassert_?(?:True|In|IsNotNone|Greater\w*|Less\w*|NotEquals?|IsInstance|Regex|NotNull|ne!|includes?|match|not_nil)\b\(?"
    r"|\bassert!?\(|\.(?:toBeTruthy|toBeDefined|toContain|toMatch|toMatchObject|toBeGreaterThan\w*|toBeLessThan\w*"
    r"|toHaveProperty|toBeInstanceOf)\(|\.not\.to\w|\.to\.(?:exist|include|contain|be\.(?:ok|above|below|at))\b"
    r"|\b(?:assert|require)\.(?:True|NotNil|NotEmpty|Contains|NotEqual|Greater\w*|Less\w*)\(|\bassert\.(?:ok|match)\("
)
_CONSTANT = re.compile(
    r"(?:==|,)\s*(?:True|False|None|true|false|null|nil|undefined)\b|^\s*assert (?:True|False|None)\b"
)
_NUMBER = r"([\d.]+(?:e[-+]?\d+)?)"
_FLOAT = re.compile(r"\d+\.?\d*(?:e[-+]?\d{1,3})?|\.\d+(?:e[-+]?\d{1,3})?")
_TOLERANCES = (
    (1, re.compile(rf"\b(?:abs|rel|delta|[ar]tol|tol|tolerance|eps|epsilon|(?:abs|rel)_tol)\s*[=:]\s*{_NUMBER}")),
    (1, re.compile(rf"\babs\(.*\)\s*<=?\s*{_NUMBER}")),
    (-1, re.compile(r"\b(?:places|decimal|significant)\s*=\s*(\d+)")),
    (-1, re.compile(r"\.toBeCloseTo\(.*,\s*(\d+)\s*\)")),
)
"""Numbers of an assertion; 1: it accepts more the higher they are, -1: the lower they are."""

_MAX_TEXT = 400
_MAX_COMPARED = 200
_MAX_KEPT = 1_000
"""Longer lines, more assertions of one hunk, and more of all that were added are not compared: it would take long."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_ASSERTING = re.compile(
    r"\bassert\w*!?|\bexpect\b|\brequire\b|\.(?:not|to|be|toBe\w*|to[A-Z]\w*|\w*[eE]qual\w*)\b|\bself\b"
)
_OTHER_WORDS = frozenset(("in", "is", "not", "and", "or", "None", "len", "isinstance", "t", "has"))


def softened_assertions(files: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    """Yield a signal for each assertion of an exact value or tolerance in whose place is one that accepts more."""
    tests = [file for file in files if is_test(file) and file.new_mode != NO_FILE]
    exact = (_subject(text) for file in tests for _, text in _short(file.added) if _EXACT.search(text))
    kept = {*islice(exact, _MAX_KEPT)}
    for file in tests:
        for hunk in file.hunks:
            added = [line for line in hunk.lines if line.kind is LineKind.ADDED]
            for line in _higher_tolerances(hunk.removed, added):
                yield signal("assertion-softened", "an assertion has a higher tolerance than before", file.path, line)
            for line in _looser(hunk.removed, added, kept):
                yield signal("assertion-softened", "an assertion of one value accepts others now", file.path, line)


def _short(lines: Iterable[PatchLine]) -> list[tuple[int, str]]:
    """Return the numbers and texts of lines that a person could have written."""
    return [(line.new or 0, line.text) for line in lines if len(line.text) <= _MAX_TEXT]


def _higher_tolerances(removed: Iterable[PatchLine], added: Iterable[PatchLine]) -> Iterator[int]:
    """Yield the numbers of added lines that differ from a removed one in a tolerance, which is higher."""
    earlier = {key: bound for _, text in _short(removed) for key, bound in _tolerances(text)}
    for number, text in _short(added):
        if any(bound > earlier.get(key, bound) for key, bound in _tolerances(text)):
            yield number


def _tolerances(text: str) -> Iterator[tuple[tuple[int, str], float]]:
    """Yield each kind of tolerance in a line, with the line without it, and how much it accepts."""
    for position, (sign, pattern) in enumerate(_TOLERANCES):
        if match := pattern.search(text):
            number = float(match[1]) if _FLOAT.fullmatch(match[1]) else 0.0
            yield (position, " ".join((text[: match.start(1)] + text[match.end(1) :]).split())), sign * number


def _looser(
    removed: Iterable[PatchLine], added: Iterable[PatchLine], kept: Collection[frozenset[str]]
) -> Iterator[int]:
    """Yield the numbers of added assertions about what a removed one compared with one value, and no added one does."""
    earlier = [_subject(text) for _, text in _short(removed) if _EXACT.search(text) and not _CONSTANT.search(text)][
        :_MAX_COMPARED
    ]
    loose = [(number, _subject(text)) for number, text in _short(added) if earlier and _is_loose(text)]
    for number, subject in loose[:_MAX_COMPARED]:
        replaced = next((other for other in earlier if subject and subject <= other), None)
        if replaced is not None and not any(subject <= other for other in kept):
            earlier.remove(replaced)
            yield number


def _is_loose(text: str) -> bool:
    return bool(_LOOSE.search(text)) and "==" not in text and not _EXACT.search(text)


def _subject(text: str) -> frozenset[str]:
    """Return the names in an assertion, without those of asserting itself and without texts."""
    return frozenset(_WORD.findall(_ASSERTING.sub(" ", _TEXT.sub(" ", text)))) - _OTHER_WORDS
