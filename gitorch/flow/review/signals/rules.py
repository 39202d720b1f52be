"""The table of signals: their weights, the lists of files, and the lines that they look for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

import msgspec
from msgspec import field

from gitorch import data
from gitorch.flow.review.values import RiskSignal
from gitorch.model import globs

MAX_NAMED = 5
"""Signals of one kind that are listed; the rest is a number."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of signal: how much it weighs, and what it means."""

    weight: int
    meaning: str


class LineRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern of lines that are a signal in the files of these lists."""

    kind: str
    text: str
    pattern: str
    lists: tuple[str, ...] = field(name="in")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`data/signals.toml`."""

    kinds: dict[str, Kind]
    files: dict[str, tuple[str, ...]]
    added: tuple[LineRule, ...]
    removed: tuple[LineRule, ...]


@cache
def table() -> Table:
    """Return the table of signals."""
    return data.load("signals.toml", Table)


def signal(kind: str, text: str, path: str = "", line: int = 0) -> RiskSignal:
    """Return a signal of a kind of the table, with its weight."""
    return RiskSignal(table().kinds[kind].weight, text, path, line, kind)


@lru_cache(4096)
def is_in(path: str, name: str) -> bool:
    """Return whether a path is in one of the table's lists of files."""
    return globs.matches(path, table().files[name])


@lru_cache(4096)
def is_in_any_case(path: str, name: str) -> bool:
    """Return whether a path is in a list where the letter case of names does not count, as on macOS and Windows."""
    return globs.matches(path.lower(), _lowered(name))


@cache
def _lowered(name: str) -> tuple[str, ...]:
    return tuple(glob.lower() for glob in table().files[name])


def is_in_any(path: str, names: Iterable[str]) -> bool:
    """Return whether a path is in any of these lists of files."""
    return any(is_in(path, name) for name in names)


def pattern(rule: LineRule) -> re.Pattern[str]:
    """Return the compiled pattern of a rule."""
    return re.compile(rule.pattern)  # `re` caches it


def shortened(signals: Iterable[RiskSignal]) -> Iterator[RiskSignal]:
    """Yield the first signals of each kind, and one with the number of those that follow."""
    groups: dict[str, list[RiskSignal]] = {}
    for entry in dict.fromkeys(signals):
        groups.setdefault(entry.kind, []).append(entry)
    for entries in groups.values():
        yield from entries[:MAX_NAMED]
        if rest := entries[MAX_NAMED:]:
            kind = rest[0].kind
            yield signal(kind, f"{len(rest)} more: {table().kinds[kind].meaning}")
