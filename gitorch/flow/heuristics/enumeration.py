"""What a goal enumerates: lists, steps, sentences, and "a, b and c"."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_BULLET = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>[-*+•]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(?P<text>\S.*)$")
_VERBS = frozenset(
    """add allow analyse analyze automate benchmark build bump check clean configure connect convert create cut define
    delete deploy design develop document drop enable export extend extract fix generate handle implement import
    improve ingest install integrate introduce load log make measure merge migrate model monitor move optimise
    optimize package parse port profile provide publish read reduce refactor release remove rename render replace report
    review rewrite run save schedule secure send serve set show simplify speed split store support test train
    transform translate tune turn update upgrade use validate verify wire write""".split()
)
_THEN = re.compile(
    r"\s*(?:[,;.]\s*)(?:and\s+)?(?:then|after that|afterwards|finally)\s+,?\s*|\s+(?:and\s+)?then\s+", re.I
)
_COMMAS = re.compile(r"\s*,\s*(?:(?:and|or)\s+)?|\s+and\s+|\s+&\s+", re.IGNORECASE)
_LONGEST_ITEM = 8
"""Words of an item of "a, b and c": longer ones are clauses, which commas do not part reliably."""


class Enumerated(msgspec.Struct, frozen=True):
    """The items of a goal; `ordered` ones follow one another."""

    items: tuple[str, ...]
    ordered: bool = False


def enumerated(goal: str) -> Enumerated | None:
    """Return what a goal enumerates, at least two items; None for one that is of a piece."""
    for reader in (_listed, _steps, _sentences, _commas):
        found = reader(goal)
        if found is not None and len(found.items) >= 2:
            return found
    return None


def _listed(goal: str) -> Enumerated | None:
    """Read a Markdown list: what is indented below an item belongs to it. A numbered one is in order."""
    items: list[list[str]] = []
    numbered: list[bool] = []
    least: int | None = None
    for line in goal.splitlines():
        match = _BULLET.match(line)
        indent = len(match["indent"].expandtabs(4)) if match else 0
        least = indent if match and least is None else least
        if match and least is not None and indent <= least:
            items.append([match["text"]])
            numbered.append(match["mark"][0].isdigit())
        elif items and line.strip() and line[:1].isspace():
            items[-1].append(line.strip())
    return Enumerated(tuple("\n".join(lines) for lines in items), all(numbered)) if items else None


def _steps(goal: str) -> Enumerated | None:
    """Read "first a, then b; finally c"."""
    if "\n" in goal.strip():
        return None
    parts = _THEN.split(re.sub(r"^\s*first(?:ly)?,?\s+", "", goal.strip(), flags=re.IGNORECASE))
    return Enumerated(_sentence_case(parts), ordered=True) if all(map(_is_order, parts)) else None


def _sentences(goal: str) -> Enumerated | None:
    """Read several orders: "Add a login. Write tests; update the docs." """
    parts = [part for part in re.split(r"[.;]\s+|[.;]$|\n+", goal.strip()) if part.strip()]
    return Enumerated(_sentence_case(parts)) if all(map(_is_order, parts)) else None


def _commas(goal: str) -> Enumerated | None:
    """Read "build a, b and c": orders as they are, names with the verb before the first of them."""
    text = " ".join(goal.split()).rstrip(".")
    parts = [part for part in _COMMAS.split(text) if part]
    if len(parts) < 2 or not _is_order(parts[0]):
        return None
    if all(map(_is_order, parts)):
        return Enumerated(_sentence_case(parts))
    if re.search(r"\b(?:with|for|using|from|to|in|of|that|which|so)\b", parts[0], re.IGNORECASE):
        return None  # what follows belongs to the first: "an API with a, b and c"
    if any(map(_is_order, parts[1:])) or any(len(part.split()) > _LONGEST_ITEM for part in parts):
        return None
    verb = parts[0].split()[0]
    return Enumerated((parts[0], *(f"{verb} {part}" for part in parts[1:])))


def _is_order(text: str) -> bool:
    words = text.split()
    return len(words) >= 2 and words[0].lower().strip(",") in _VERBS


def _sentence_case(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part[:1].upper() + part[1:] for part in (part.strip().rstrip(".;,") for part in parts))
