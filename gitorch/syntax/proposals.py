"""The ladder of merges for one file: the likeliest first, only those that no rule refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gitorch.syntax import words
from gitorch.syntax.admissible import (
    Versions,
    common_statements,
    objection,
    parse_versions,
    parses_no_worse,
)
from gitorch.syntax.alignment import align_equal
from gitorch.syntax.choices import Choices, in_order_of_likelihood
from gitorch.syntax.grammar import parse
from gitorch.syntax.hoisting import with_names_unified
from gitorch.syntax.languages import Language, language_of
from gitorch.syntax.lines import merge_lines
from gitorch.syntax.outcome import SyntaxProposal, Unresolved
from gitorch.syntax.outline import declared_twice
from gitorch.syntax.tree_merge import TreeMerger

# larger files are data or generated, and a merge of them would take seconds
_LARGEST = 2_000_000
_PROSE = (".md", ".rst", ".txt", ".adoc")
_MARKER = b"<<<<<<< "

Merge = Callable[[Choices], bytes]


def propose(path: str, base: bytes | None, ours: bytes, theirs: bytes, *, limit: int = 6) -> list[SyntaxProposal]:
    """Return admissible merges, the likeliest first; `ours` is what went in earlier.

    `base` is None where both sides add the file. The result is empty if no rule applies: for binary or very large
    files, and where the sides exclude each other. Pure, and bounded in time by the size of the files.
    """
    if base is None:
        base = common_statements(ours, theirs, language_of(path))
        base = _common_lines(ours, theirs) if base is None else base
    if not all(_is_mergeable(text) for text in (base, ours, theirs)):
        return []
    trivial = _one_sided(base, ours, theirs)
    if trivial is not None:
        return [SyntaxProposal(trivial, "structure", ("only one side changes the file",))]
    proposals: dict[bytes, SyntaxProposal] = {}
    for proposal in _ladder(path, base, ours, theirs):
        proposals.setdefault(proposal.content, proposal)
        if len(proposals) >= limit:
            break
    return list(proposals.values())


def _ladder(path: str, base: bytes, ours: bytes, theirs: bytes) -> Iterator[SyntaxProposal]:
    """Yield what each rung proposes, the likeliest first."""
    language = language_of(path)
    versions = None if language is None else parse_versions((base, ours, theirs), language)
    if language is None or versions is None:
        missing = "" if language is None else _why_not_parsed(language)
        for proposal in _by_lines(path, base, ours, theirs, missing):
            if language is None or parses_no_worse((base, ours, theirs), language, proposal.content):
                yield proposal
        return

    plain = _by_tree(path, versions, "structure", ())
    first = next(plain, None)
    if first is not None:
        yield first
        yield from plain
    elif language.hoists:
        yield from _with_unified_names(path, versions)
    if first is None and versions.errors:
        # the grammar does not understand the file, such as a template
        yield from _by_lines(path, base, ours, theirs, f"; it does not parse as {language.name}")


def _why_not_parsed(language: Language) -> str:
    if parse(b"", language) is None:
        return f"; {language.grammar} is not installed: pip install 'gitorch[resolve]'"
    return "; it is too large to parse"


def _by_tree(path: str, versions: Versions, kind: str, evidence: tuple[str, ...]) -> Iterator[SyntaxProposal]:
    def merge(choices: Choices) -> bytes:
        return TreeMerger(choices).merge(*versions.roots)

    for content, choices in _variants(merge):
        if not objection(versions, content) and not declared_twice(path, *versions.sources, content):
            sentence = f"merged by structure ({versions.language.name})"
            yield SyntaxProposal(content, kind, (sentence, *evidence, *choices.evidence))


def _with_unified_names(path: str, versions: Versions) -> Iterator[SyntaxProposal]:
    unified = with_names_unified(versions.roots)
    renamed = None if unified is None else parse_versions(unified.sources, versions.language)
    if unified is not None and renamed is not None:
        yield from _by_tree(path, renamed, "renamed", unified.evidence)


def _is_mergeable(text: bytes) -> bool:
    return len(text) <= _LARGEST and b"\0" not in text and not text.startswith(_MARKER) and b"\n" + _MARKER not in text


def _one_sided(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    if ours in (base, theirs):
        return theirs
    return ours if theirs == base else None


def _common_lines(ours: bytes, theirs: bytes) -> bytes:
    """Return what two added files have in common, in place of a base."""
    lines = ours.splitlines(keepends=True)
    partner = align_equal(lines, theirs.splitlines(keepends=True))
    return b"".join(line for line, other in zip(lines, partner, strict=True) if other is not None)


def _by_lines(path: str, base: bytes, ours: bytes, theirs: bytes, missing: str) -> Iterator[SyntaxProposal]:
    def merge(choices: Choices) -> bytes:
        return merge_lines(base, ours, theirs, choices, prose=path.lower().endswith(_PROSE))

    for content, choices in _variants(merge):
        if words.conserved(base, ours, theirs, content) and not declared_twice(path, base, ours, theirs, content):
            yield SyntaxProposal(content, "both", (f"merged by lines{missing}", *choices.evidence))


def _variants(merge: Merge) -> Iterator[tuple[bytes, Choices]]:
    """Yield the results of a merge, with the merge order first, then with choice points reversed."""
    first = Choices()
    try:
        yield merge(first), first
    except Unresolved:
        return
    for choices in in_order_of_likelihood(first.count):
        try:
            yield merge(choices), choices
        except Unresolved:
            continue
