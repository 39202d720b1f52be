"""The grammar of a goal: orders, determiners, the head of a phrase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import msgspec

from gitorch import data


class Patterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Regular expressions of words, by what they do in a goal."""

    systems: tuple[str, ...]
    statements: tuple[str, ...]
    postmodifiers: tuple[str, ...]
    binding: tuple[str, ...]
    prepositions: tuple[str, ...]
    clause_starts: tuple[str, ...]
    fixed_pairs: tuple[str, ...]


class Lexicon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words by what they do in a goal, as `lexicon.toml` explains."""

    verbs: frozenset[str]
    noun_verbs: frozenset[str]
    creation_verbs: frozenset[str]
    closing_words: frozenset[str]
    definite: frozenset[str]
    indefinite: frozenset[str]
    particles: frozenset[str]
    function_words: frozenset[str]
    patterns: Patterns


_POLITE = re.compile(
    r"^\s*(?:(?:please|let's|let us|(?:i|we) (?:want|need)(?: you)?(?: to)?|"
    r"(?:i'd|we'd|i would|we would) like(?: you)?(?: to)?|we should|(?:can|could|would) you(?: please)?|"
    r"(?:the|our|my) goal is to|goal:|task:)\s+)+",
    re.IGNORECASE,
)


@cache
def lexicon() -> Lexicon:
    """Return the words that ship with gitorch."""
    return data.load("lexicon.toml", Lexicon)


@cache
def any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that matches any of these words (regular expressions) whole, ignoring case."""
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


def without_politeness(goal: str) -> str:
    """Return a goal without polite phrases ("please", "we need to"); unchanged if nothing else remains."""
    request = _POLITE.sub("", goal)
    return request[:1].upper() + request[1:] if request and request != goal else goal


def is_verb(word: str) -> bool:
    """Return whether a word can begin an order."""
    verb = word.lower().strip(",:")
    verbs = lexicon().verbs
    return verb in verbs or (verb.startswith("re") and verb[2:].removeprefix("-") in verbs)


def is_order(text: str) -> bool:
    """Return whether a text begins with a verb and its object: a known verb, or any word before "the" or "it"."""
    words = text.split()
    return len(words) >= 2 and (is_verb(words[0]) or _has_verb_form(words))


def _has_verb_form(words: Sequence[str]) -> bool:
    first = words[0].lower().strip(",:")
    return (
        first.isalpha()
        and first not in lexicon().function_words
        and not determiner(words[:1])
        and _has_object(words[1:])
    )


def _has_object(words: Sequence[str]) -> bool:
    return bool(determiner(words)) or words[0].lower().strip(",") in ("it", "them")


def is_clear_order(text: str) -> bool:
    """Return whether a text is an order even if "read receipts" is read as a noun."""
    words = text.split()
    return is_order(text) and (words[0].lower() not in lexicon().noun_verbs or bool(determiner(words[1:])))


def as_order(text: str) -> str:
    """Return a statement as an order: "posts reminders" as "post reminders"; empty if it is none."""
    first, _, objects = text.partition(" ")
    stems = (first.removesuffix("s"), first.removesuffix("es"), first.removesuffix("ies") + "y")
    return next((f"{stem} {objects}" for stem in stems if objects and stem != first and is_verb(stem)), "")


def is_creation(text: str) -> bool:
    """Return whether a text asks for something new: by a verb of creation, or by its name ("a blog with comments")."""
    words = text.lower().split()
    if words[:2] == ["set", "up"] or (words[:1] == ["make"] and determiner(words[1:]) == "a"):
        return True
    if is_order(text):
        return words[0] in lexicon().creation_verbs
    return not any_of(lexicon().patterns.statements).search(text)


def head(text: str) -> str:
    """Return the head of a noun phrase, without its purpose or description."""
    match = any_of(lexicon().patterns.postmodifiers).search(text)
    return text[: match.end()] if match else text


def determiner(words: Sequence[str]) -> str:
    """Return the kind of determiner that the words begin with: `the`, `a`, or empty for none."""
    first = words[0].lower() if words else ""
    return "the" if first in lexicon().definite else "a" if first in lexicon().indefinite else ""


def sentence_case(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts with a capital at the start and no punctuation at the end."""
    return tuple(part[:1].upper() + part[1:] for part in (part.strip().rstrip(".;,:") for part in parts))
