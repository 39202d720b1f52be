"""What words of a goal are: orders, determiners, the head of what is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

_VERBS = frozenset(
    """accept add adjust adopt alert align allow analyse analyze annotate apply archive ask attach audit authenticate
    automate back backfill ban batch benchmark bid bind block book bring browse build bump bundle buy cache calculate
    call cap change chat check choose clean clear clone close collect comment compare compile compress compute configure
    connect consolidate containerise containerize convert copy correct cover crawl create cut debug declare decouple
    deduplicate define delete deliver deploy deprecate describe design detect determine develop diagnose disable display
    document download draft draw drop edit email embed emit enable encrypt enforce ensure escape estimate evaluate
    examine exclude expand explain explore export expose extend extract fetch fill filter find finish fix flag flatten
    follow format freeze generate get give group guard handle harden hash hide highlight host identify implement import
    improve include increase index ingest inline insert inspect install instrument integrate interview introduce
    invalidate inventory investigate invite isolate issue join keep label launch lazy-load let limit link lint list load
    localise localize lock log look lower maintain make manage map mark mask measure merge message migrate minify mock
    model modernise modernize monitor mount move name normalise normalize notify obtain offer open optimise optimize
    order organise organize override package paginate parallelise parallelize parse patch pause pay pick pin plan plot
    polish poll populate port post prefetch prepare present preview print profile protect prototype provide provision
    prune publish pull purge push put query queue quote raise rate rate-limit read receive record redirect reduce
    refactor refresh refuse register reject release remove render replace reply report reproduce require research
    resize resolve respond restrict retire retry return revise revoke roll rotate route run sanitise sanitize save scale
    scan schedule score scrape search secure see seed select sell send separate serve set share ship show shorten shrink
    shut sign simplify skip solve sort specify speed split squash stabilise stabilize standardise standardize start stop
    store stream streamline strip style submit subscribe summarise summarize support survey suspend switch sync
    synchronise synchronize tag take teach test throttle tidy toggle trace track train transcribe transform translate
    trigger trim try tune turn type unify unpin update upgrade upload use vacuum validate vendor verify version view
    visualise visualize vote warm warn watch wire wrap write zip""".split()
)
"""Verbs by which an order begins; with "re" before them, too."""

_NOUNS = frozenset(
    """back batch block book call chat check comment design display document download edit email export filter format
    group host import index issue join label limit link list load lock log map message model monitor name order package
    plan post preview print profile query queue quote rate read record release reply report request research return
    review route run scale schedule score search share show sort start stop store stream style support survey switch
    sync tag test trace track type update upload use version view watch wrap""".split()
)
"""Verbs that name things as well, before another name: "read receipts", "log rotation"."""

_MAKING = frozenset("bootstrap build create design develop implement prototype provision scaffold train".split())
_SAYING = re.compile(
    r"\b(?:is|are|was|were|fails?|failed|should|must|does|doesn't|don't|cannot|can't|broken|wrong|crash(?:es|ed)?|"
    r"slow|why|when|not|never|missing)\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"^\s*(?:(?:please|let's|let us|(?:i|we) (?:want|need)(?: you)?(?: to)?|"
    r"(?:i'd|we'd|i would|we would) like(?: you)?(?: to)?|we should|(?:can|could|would) you(?: please)?|"
    r"(?:the|our|my) goal is to|goal:|task:)\s+)+",
    re.IGNORECASE,
)
_HEAD = re.compile(r"\b(?:in|on|of|for|from|to|into|between|that|which|who|where)\b", re.IGNORECASE)
_SMALL = frozenset(
    "about after all also and as at before both but by for from if in into is it like not of on only or since so "
    "than that then to under until via what when where which while who why with without".split()
)
_DEFINITE = frozenset("the our its this that these those my your their all every each both".split())
_INDEFINITE = frozenset("a an another one some".split())


def without_politeness(goal: str) -> str:
    """Return a goal without the words by which people ask for something; all of it where nothing else is there."""
    left = _POLITE.sub("", goal)
    return left[:1].upper() + left[1:] if left and left != goal else goal


def is_verb(word: str) -> bool:
    """Tell whether a word can begin an order."""
    plain = word.lower().strip(",:")
    return plain in _VERBS or (plain.startswith("re") and plain[2:].removeprefix("-") in _VERBS)


def is_order(text: str) -> bool:
    """Tell whether words begin with a verb that something follows: a known one, or what stands before "the" or "it"."""
    words = text.split()
    return len(words) >= 2 and (is_verb(words[0]) or _is_verb_there(words))


def _is_verb_there(words: Sequence[str]) -> bool:
    first = words[0].lower().strip(",:")
    return first.isalpha() and first not in _SMALL and not determiner(words[:1]) and _has_object(words[1:])


def _has_object(words: Sequence[str]) -> bool:
    return bool(determiner(words)) or words[0].lower().strip(",") in ("it", "them")


def is_plainly_order(text: str) -> bool:
    """Tell the same, where "read receipts" stands for receipts."""
    words = text.split()
    return is_order(text) and (words[0].lower() not in _NOUNS or bool(determiner(words[1:])))


def as_order(text: str) -> str:
    """Return what somebody or something does as an order: "posts reminders" as "post reminders"; else empty."""
    first, _, rest = text.partition(" ")
    stems = (first.removesuffix("s"), first.removesuffix("es"), first.removesuffix("ies") + "y")
    return next((f"{stem} {rest}" for stem in stems if rest and stem != first and is_verb(stem)), "")


def is_making(text: str) -> bool:
    """Tell whether words ask for something new: by a verb of making, or as a name of it ("a blog with comments")."""
    words = text.lower().split()
    if words[:2] == ["set", "up"] or (words[:1] == ["make"] and determiner(words[1:]) == "a"):
        return True
    if is_order(text):
        return words[0] in _MAKING
    return not _SAYING.search(text)


def head(text: str) -> str:
    """Return the part of an order that names what is asked for, up to what that is for or does."""
    match = _HEAD.search(text)
    return text[: match.end()] if match else text


def determiner(words: Sequence[str]) -> str:
    """Return which kind of determiner words begin with: `the`, `a`, or none (empty)."""
    first = words[0].lower() if words else ""
    return "the" if first in _DEFINITE else "a" if first in _INDEFINITE else ""


def sentence_case(parts: Sequence[str]) -> tuple[str, ...]:
    """Return parts that begin with a capital and end without punctuation."""
    return tuple(part[:1].upper() + part[1:] for part in (part.strip().rstrip(".;,:") for part in parts))
