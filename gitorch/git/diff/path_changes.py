"""The paths that differ between commits, for many pairs in one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

Span = tuple[Oid, Oid]
"""The first and the last commit of a comparison."""


class ChangedPaths(msgspec.Struct, frozen=True):
    """The changed paths of a span, those of them that are new, and the removed folders."""

    paths: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    removed_folders: frozenset[str] = frozenset()


def changed_paths(repository: Repository, spans: Iterable[Span]) -> dict[Span, ChangedPaths]:
    """Return the changed paths of each span, without rename detection; without spans whose commits are unknown."""
    unique_spans = list(dict.fromkeys(spans))
    if not unique_spans:
        return {}
    request = "".join(f"{tip} {base}\n" for base, tip in unique_spans).encode()
    options = ("-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev", "--always")
    fields = repository.git("diff-tree", "--stdin", *options, input=request).fields()
    sections = [*_sections(fields)]
    if len(sections) == len(unique_spans):
        return {span: _read(entries) for span, (_, entries) in zip(unique_spans, sections, strict=True)}
    requests = iter(unique_spans)
    # git leaves out what is no commit
    known = ((next((span for span in requests if span[1] == tip), None), entries) for tip, entries in sections)
    return {span: _read(entries) for span, entries in known if span}


_FOLDER = "040000"


def _sections(fields: Iterable[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Read `diff-tree --stdin -z`: a commit's id, then its entries, each two fields, then the next id."""
    entries: list[tuple[str, str]] = []
    stream = iter(fields)
    for field in stream:
        if field.startswith(":"):
            entries.append((field, next(stream)))
        else:
            entries = []
            yield field, entries


def _read(entries: Iterable[tuple[str, str]]) -> ChangedPaths:
    paths: set[str] = set()
    added: set[str] = set()
    removed_folders: set[str] = set()
    for words, path in entries:
        before, after, *_, status = words[1:].split(" ")
        if before == _FOLDER:
            if status == "D":
                removed_folders.add(path)
        elif after != _FOLDER:
            paths.add(path)
            if status == "A":
                added.add(path)
    return ChangedPaths(frozenset(paths), frozenset(added), frozenset(removed_folders))
