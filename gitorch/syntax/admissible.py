"""Whether a merge may be proposed: what speaks against it, independent of how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.syntax import words
from gitorch.syntax.alignment import align_equal
from gitorch.syntax.calls import copied_call_changed
from gitorch.syntax.enumerations import changed_value
from gitorch.syntax.grammar import count_errors, parse
from gitorch.syntax.languages import Language
from gitorch.syntax.nodes import Node
from gitorch.syntax.scopes import (
    entry_elsewhere,
    removed_name_in_use,
    removed_unit_in_use,
    repeated_binding,
    repeated_entry,
    unchanged_texts,
    unreached_statement,
)

# larger files are data or generated: a merge by structure would take seconds
_LARGEST = 400_000


@dataclass(frozen=True)
class Versions:
    """Three versions of a file with their syntax trees: base, ours, theirs."""

    sources: tuple[bytes, bytes, bytes]
    roots: tuple[Node, Node, Node]
    language: Language
    errors: int


def parse_versions(sources: tuple[bytes, bytes, bytes], language: Language) -> Versions | None:
    """Return the parsed versions; None if the grammar is not installed or a file is too large for it."""
    if max(map(len, sources)) > _LARGEST:
        return None
    parsed = [parse(source, language) for source in sources]
    if any(root is None for root in parsed):
        return None
    base, ours, theirs = (Node.of_file(source, root, language) for source, root in zip(sources, parsed, strict=True))
    return Versions(sources, (base, ours, theirs), language, max(count_errors(root) for root in parsed))


def common_statements(ours: bytes, theirs: bytes, language: Language | None) -> bytes | None:
    """Return what two added files have in common at their top level, in place of a base; None without a grammar."""
    versions = None if language is None else parse_versions((b"", ours, theirs), language)
    if versions is None:
        return None
    _, first, second = (root.children for root in versions.roots)
    partner = align_equal([node.text for node in first], [node.text for node in second])
    common = [node for node, other in zip(first, partner, strict=True) if other is not None]
    text = b"".join(node.lead + node.text + node.separator for node in common)
    return text.lstrip(b"\r\n") + versions.roots[1].tail if common else b""


def parses_no_worse(sources: tuple[bytes, bytes, bytes], language: Language, content: bytes) -> bool:
    """Return whether a merged file has no more errors than its inputs; true if the grammar is not installed."""
    parsed, *inputs = (parse(source, language) for source in (content, *sources))
    return parsed is None or count_errors(parsed) <= max(count_errors(root) for root in inputs)


def objection(versions: Versions, content: bytes) -> str | None:
    """Return why a merged file is not admissible; None if it is."""
    root = parse(content, versions.language)
    if count_errors(root) > versions.errors:
        return "it parses worse than its inputs"
    if not words.conserved(*versions.sources, content):
        return "words of a side are missing, or there twice"
    merged = Node.of_file(content, root, versions.language)
    unchanged = unchanged_texts(versions.roots, merged)
    return (
        repeated_entry(versions.roots, merged, unchanged)
        or entry_elsewhere(versions.roots, merged, unchanged)
        or changed_value(versions.roots, merged)
        or repeated_binding(versions.roots, merged, unchanged)
        or removed_name_in_use(versions.roots, merged, unchanged)
        or removed_unit_in_use(versions.roots, merged, unchanged)
        or unreached_statement(versions.roots, merged, unchanged)
        or copied_call_changed(versions.roots, unchanged)
    )
