"""Split a goal into the items that it enumerates: lists, steps, sentences, "a, b and c", and "this: a, b and c"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from gitorch.flow.planning.heuristics.lexicon import (
    any_of,
    determiner,
    is_clear_order,
    is_order,
    lexicon,
    sentence_case,
)

_BULLET = re.compile(
    r"^(?P<indent>[ \t]*)(?P<mark>[-*+•]|\d{1,3}[.)])[ \t]+(?:\[(?P<tick>[ xX])\][ \t]+)?(?P<text>\S.*)$"
)
_THEN = re.compile(
    r"\s*(?:[,;.]\s*)(?:and\s+)?(?:then|after that|afterwards|finally|lastly|next)\s+,?\s*|\s+(?:and\s+)?then\s+", re.I
)
_STRONG = re.compile(r"\s*,?\s+(?:as well as|along with|together with|and also|plus)\s+", re.IGNORECASE)
_OXFORD = re.compile(r",\s*(?:and|or|&)\s+", re.IGNORECASE)
_COMMA = re.compile(r"\s*,\s*(?:(?:and|or|&)\s+)?", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|&)\s+", re.IGNORECASE)
_LONGEST_ITEM = 8
"""Words of an item of "a, b and c". Longer ones are clauses, which commas do not separate reliably."""
_LONGEST_NAME = 5


class Enumeration(msgspec.Struct, frozen=True):
    """The items of a goal; `ordered` if each waits for the one before it."""

    items: tuple[str, ...]
    ordered: bool = False


_Reader = Callable[[str], Enumeration | None]


def read_enumeration(goal: str) -> Enumeration | None:
    """Return the orders or list items of a goal, at least two; None if it has fewer."""
    return _first(goal, (_listed, _steps, _sentences, _headed, _orders))


def read_objects(goal: str) -> Enumeration | None:
    """Return the objects of a single order, at least two, each with the words of the order; None if it has fewer."""
    return _first(goal, (_objects,))


def _first(goal: str, readers: Sequence[_Reader]) -> Enumeration | None:
    for reader in readers:
        enumeration = reader(goal)
        if enumeration is not None and len(enumeration.items) >= 2:
            return enumeration
    return None


def _listed(goal: str) -> Enumeration | None:
    """Read a Markdown list: indented lines belong to the item above them. A numbered list is in order.

    Items that are ticked are done.
    """
    items: list[list[str]] = []
    ticked: list[bool] = []
    numbered: list[bool] = []
    outermost: int | None = None
    for line in goal.splitlines():
        match = _BULLET.match(line)
        indent = len(match["indent"].expandtabs(4)) if match else 0
        outermost = indent if match and outermost is None else outermost
        if match and outermost is not None and indent <= outermost:
            items.append([match["text"]])
            ticked.append((match["tick"] or " ") != " ")
            numbered.append(match["mark"][0].isdigit())
        elif items and line.strip() and line[:1].isspace():
            items[-1].append(line.strip())
    remaining = items if all(ticked) else [item for item, is_ticked in zip(items, ticked, strict=True) if not is_ticked]
    return Enumeration(tuple("\n".join(lines) for lines in remaining), all(numbered)) if items else None


def _steps(goal: str) -> Enumeration | None:
    """Read "first a, then b; finally c": orders separated by commas are steps too."""
    if "\n" in goal.strip():
        return None
    parts = _THEN.split(re.sub(r"^\s*first(?:ly)?,?\s+", "", goal.strip(), flags=re.IGNORECASE))
    if len(parts) < 2 or not all(map(is_order, parts)):
        return None
    steps = [step for part in parts for step in (_all_orders(part) or [part])]
    return Enumeration(sentence_case(steps), ordered=True)


def _sentences(goal: str) -> Enumeration | None:
    """Read several orders: "Add a login. Write tests; update the docs." """
    parts = [part for part in re.split(r"[.;]\s+|[.;]$|\n+", goal.strip()) if part.strip()]
    return Enumeration(sentence_case(parts)) if all(map(is_order, parts)) else None


def _headed(goal: str) -> Enumeration | None:
    """Read "speed up the build: cache this, skip that and drop those": orders, or names below the head."""
    head, colon, tail = " ".join(goal.split()).partition(": ")
    items = split_items(tail) if colon else []
    if len(items) < 2 or not is_order(head) or len(head.split()) > _LONGEST_ITEM:
        return None
    if is_order(items[0]):
        return Enumeration(sentence_case(_with_verbs(items)))
    if any(len(item.split()) > _LONGEST_NAME for item in items):
        return None
    return Enumeration(tuple(f"{head}: {item}" for item in items))


def _with_verbs(items: Sequence[str]) -> list[str]:
    """Give an item without a verb the verb of the item before it: "add translations, and a switcher"."""
    orders: list[str] = []
    for item in items:
        verb = orders[-1].split()[0] if orders else ""
        orders.append(item if is_order(item) or not verb else f"{verb} {item}")
    return orders


def _orders(goal: str) -> Enumeration | None:
    """Read "build a, write b and ship c"."""
    orders = _all_orders(_line(goal))
    return Enumeration(sentence_case(orders)) if orders else None


def _all_orders(text: str) -> list[str] | None:
    parts = split_items(text)
    if len(parts) < 2 or not is_order(parts[0]):
        return None
    is_item = is_clear_order if any_of(lexicon().patterns.binding).search(parts[0]) else is_order
    return parts if all(map(is_item, parts[1:])) else None


def _objects(goal: str) -> Enumeration | None:
    """Read "build a, b and c" and "improve the tests of a and b": names, with the words that they share."""
    text = _line(goal)
    parts = split_items(text)
    if len(parts) < 2 or not is_order(parts[0]) or any(map(is_order, parts[1:])):
        return None
    if any(map(_is_clause, parts[1:])) or _is_single(text, parts):
        return None
    if not _STRONG.search(text) and any_of(lexicon().patterns.binding).search(parts[0]):
        return None  # the rest belongs to the first part: "an API with a, b and c"
    shared = _shared(parts, strong=bool(_STRONG.search(text)))
    return Enumeration((parts[0], *(f"{shared} {part}" for part in parts[1:]))) if shared else None


def _shared(parts: Sequence[str], *, strong: bool) -> str:
    """Return the words that all items share: the verb, or everything up to a preposition; empty if unclear.

    Determiners show which items follow the preposition: "tests of the parser and the lexer", but "a link to
    the docs and a button".
    """
    words = parts[0].split()
    verb = " ".join(words[:2]) if words[1].lower() in lexicon().particles else words[0]
    prepositions = list(any_of(lexicon().patterns.prepositions).finditer(parts[0], len(verb)))
    if strong or not prepositions:
        return words[0]
    kinds = {determiner(part.split()) for part in parts[1:]}
    after_preposition = determiner(parts[0][prepositions[-1].end() :].split())
    after_verb = determiner(parts[0][len(verb) :].split())
    if kinds == {after_preposition} and after_preposition and after_preposition != after_verb:
        return parts[0][: prepositions[-1].end()]
    return verb if kinds == {after_verb} and after_verb and after_preposition != after_verb else ""


def split_items(text: str) -> list[str]:
    """Split "a, b and c" into its items: with a comma before the "and", only commas separate them."""
    items: list[str] = []
    for piece in _STRONG.split(text.rstrip(" .")):
        if _OXFORD.search(piece):
            items += _COMMA.split(piece)
        elif "," in piece:
            *first, last = _COMMA.split(piece)
            items += [*first, *_AND.split(last)]
        else:
            items += _AND.split(piece)
    return [item.strip() for item in items if item.strip()]


def _is_clause(part: str) -> bool:
    return len(part.split()) > _LONGEST_ITEM or any_of(lexicon().patterns.clause_starts).match(part) is not None


def _line(goal: str) -> str:
    return " ".join(goal.split()).rstrip(".")


def _is_single(text: str, parts: Sequence[str]) -> bool:
    """Return whether "and" separates nothing: in parentheses, in "drag and drop", in "make a and b faster"."""
    if any_of(lexicon().patterns.fixed_pairs).search(text) or any(part.count("(") != part.count(")") for part in parts):
        return True
    return text.lower().startswith("make ") and len(parts[0].split()) == 2 < len(parts[-1].split()) + 1
