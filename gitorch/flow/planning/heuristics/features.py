"""Find what a goal asks to build, and the features it names: "a shop with a cart, checkout and reviews"."""

from __future__ import annotations

import re

import msgspec

from gitorch.flow.planning.heuristics.enumeration import split_items
from gitorch.flow.planning.heuristics.lexicon import any_of, as_order, determiner, head, is_order, lexicon

_WITH = re.compile(r",?\s+\b(?:with|including|featuring|that has|which has|that have|offering|supporting)\b\s+", re.I)
_CAN = re.compile(
    r",?\s+\b(?:where|in which|so that|through which|by which|that lets?|which lets?|that allows?|for)\s+"
    r"(?P<actor>(?:[\w-]+\s+){1,3}?)(?:can|could|to)\s+(?P<what>.+)$",
    re.IGNORECASE,
)
_DOES = re.compile(r"\s+(?:that|which)\s+(?P<what>.+)$", re.IGNORECASE)
_LONGEST = 6


class FeatureRequest(msgspec.Struct, frozen=True):
    """What to build, and its features: names, or what its users can do (`is_ability`)."""

    base: str
    features: tuple[str, ...]
    is_ability: bool = False


def read_features(goal: str) -> FeatureRequest | None:
    """Return what a goal asks to build and the features that it names; None if it names none."""
    text = " ".join(goal.split()).rstrip(".")
    return _abilities(text) or _actions(text) or _features(text)


def _abilities(text: str) -> FeatureRequest | None:
    match = _CAN.search(text)
    if match is None or not _is_system(text[: match.start()]):
        return None
    items = split_items(match["what"])
    if len(items) < 2 or not all(map(_is_short, items)) or not all(map(is_order, items[1:])):
        return None
    actor = match["actor"].strip()
    abilities = dict.fromkeys(f"{actor} can {item}" for item in items)
    return FeatureRequest(text[: match.start()], tuple(abilities), is_ability=True)


def _actions(text: str) -> FeatureRequest | None:
    """Read "a bot that posts a, collects b and writes c"."""
    match = _DOES.search(text)
    if match is None or not _is_system(text[: match.start()]):
        return None
    items = [as_order(item) for item in split_items(match["what"])]
    is_list = len(items) > 2 and all(item and _is_short(item) for item in items)
    return FeatureRequest(text[: match.start()], tuple(dict.fromkeys(items)), is_ability=True) if is_list else None


def _features(text: str) -> FeatureRequest | None:
    for match in _WITH.finditer(text):
        base, items = text[: match.start()], split_items(text[match.end() :])
        if _is_system(base) and items and all(_is_short(item) and not _WITH.search(f" {item} ") for item in items):
            return FeatureRequest(base, tuple(dict.fromkeys(items)))
    return None


def _is_system(text: str) -> bool:
    return any_of(lexicon().patterns.systems).search(head(text)) is not None


def _is_short(item: str) -> bool:
    return len(item.split()) <= _LONGEST + bool(determiner(item.split()))
