"""Roles (specialists), and how a task finds the one that suits it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache

import msgspec

from gitorch import data
from gitorch.model import globs

BUILT_IN_ORIGIN = "built-in"
GENERALIST = "generalist"
"""The built-in role for work that calls for no specialist, or for several."""

_ENOUGH = 2
"""Points that a title must give a role: one word with other meanings does not decide."""

_LEAD_OF_WEAK = 2
"""Points by which a role must lead where every word has other meanings, too."""

_ENOUGH_IN_PROMPT = 4
_LEAD_IN_PROMPT = 2
_READ_OF_PROMPT = 4000
_POINTS_FOR_PATH = 3
_LONGEST_PHRASE = 6
"""Words of the longest phrase that is looked for."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A specialist: what it is for, its instructions, and the words and paths by which a task finds it.

    `match` gives each word its points (1 to 5); `paths` are globs; `agent` the agent that suits it, and `model` that
    agent's model ("" = the configuration's choice); `tools` what it is meant to use. `origin` tells where it comes
    from: built-in, a configuration file, or a file of the repository at a commit.
    """

    name: str
    instructions: str
    purpose: str = ""
    match: Mapping[str, int] = {}
    paths: tuple[str, ...] = ()
    agent: str = ""
    model: str = ""
    tools: tuple[str, ...] = ()
    origin: str = BUILT_IN_ORIGIN


class _Specialist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of `specialists.toml`; `words` by the points that each gives."""

    purpose: str
    instructions: str
    paths: tuple[str, ...] = ()
    words: dict[int, tuple[str, ...]] = {}


@cache
def built_in_roles() -> Mapping[str, Role]:
    """Return the built-in roles by name, the generalist first."""
    specialists = data.load("specialists.toml", dict[str, _Specialist])
    return {name: _built_in(name, specialist) for name, specialist in specialists.items()}


def _built_in(name: str, specialist: _Specialist) -> Role:
    return Role(
        name=name,
        purpose=specialist.purpose,
        instructions=specialist.instructions,
        match={word: points for points, words in specialist.words.items() for word in words},
        paths=specialist.paths,
    )


def generalist() -> Role:
    """Return the built-in generalist."""
    return built_in_roles()[GENERALIST]


def route(title: str, roles: Mapping[str, Role], *, prompt: str = "", paths: Sequence[str] = ()) -> tuple[Role, str]:
    """Choose the role that a task calls for, and say why in words.

    What decides are the title's words, those of its label twice ("docs: ...", "[ui] ...", "fix(api): ..."), the files
    that it names, and the `paths` that the task is confined to. Where these are too little or a tie, the `prompt` and
    the files in it are read as well, and then it has to be clear. Words match whole, never inside others ("email"
    holds no "ml"). A tie, or too little, is for the generalist.
    """
    found = _found(roles, title, paths)
    chosen = _best(found, roles, enough=_ENOUGH, lead=1)
    if chosen[0].name != GENERALIST or not prompt.strip():
        return chosen
    more = _found(roles, prompt[:_READ_OF_PROMPT], ())
    both = {name: found[name] | {word: count for word, count in more[name].items() if count > 1} for name in roles}
    clear = _best(both, roles, enough=_ENOUGH_IN_PROMPT, lead=_LEAD_IN_PROMPT)
    return chosen if any(map(any, found.values())) and clear[0].name == GENERALIST else clear


def _found(roles: Mapping[str, Role], text: str, paths: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what speaks for each role."""
    named = _FILE.findall(text)
    files = (*paths, *named)
    telling = [file for file in named if any(globs.matches(file, role.paths) for role in roles.values())]
    words = _without(text, telling)
    return {name: _evidence(role, words, files) for name, role in roles.items()}


def _without(text: str, files: Sequence[str]) -> str:
    """Leave out files that speak by where they are: what they are called says nothing more."""
    for file in files:
        text = text.replace(file, " ")
    return text


def _best(
    found: Mapping[str, Mapping[str, int]], roles: Mapping[str, Role], *, enough: int, lead: int
) -> tuple[Role, str]:
    points = sorted(((sum(evidence.values()), name) for name, evidence in found.items()), reverse=True)
    (most, first), (next_most, second) = points[0], points[1] if len(points) > 1 else (0, "")
    is_weak = most > 0 and max(found[first].values()) == 1
    if most < enough or (is_weak and most - next_most < _LEAD_OF_WEAK):
        weak = ", ".join(found[first]) if most else ""
        return roles[GENERALIST], f"no specialist stands out ({weak} is too little)" if weak else _NOTHING
    if most - next_most < lead:
        return roles[GENERALIST], f"{first} and {second} are equally near: {_told(found[first], found[second])}"
    return roles[first], _told(found[first])


_NOTHING = "no word or path calls for a specialist"


def _told(*found: Mapping[str, int]) -> str:
    words = {word: None for evidence in found for word in sorted(evidence, key=lambda one: -evidence[one])}
    return ", ".join(words)


# a name with a folder or an extension: `src/ui/button.tsx`, `parser.py`
_FILE = re.compile(r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.[a-z]{1,6}(?!\w)")


_LABEL = re.compile(r"\s*(?:\[(?P<tag>[^\]]{1,30})\]|(?P<name>[\w./-]+)?(?:\((?P<scope>[^)]{1,30})\))?!?\s?:(?=\s))")


def _evidence(role: Role, text: str, files: Sequence[str]) -> dict[str, int]:
    """Return the words and paths that speak for a role, with their points; not a word inside a longer one."""
    known = {_plain(word): word for word in role.match}
    there = [plain for plain in _phrases(text) if plain in known]
    label = _LABEL.match(text)
    labels = _phrases(" ".join(filter(None, label.groups()))) if label else ()
    found = {
        known[plain]: role.match[known[plain]] * (2 if plain in labels else 1)
        for plain in there
        if not any(_within(plain, one) for one in there)
    }
    return found | dict(_matching_paths(role, files))


@lru_cache(64)
def _phrases(text: str) -> tuple[str, ...]:
    """Return all phrases of a text, with the last word also as what it may be the plural of; each once.

    `StorageClass` and `storage_class` are read as words of their own, and as two.
    """
    apart = _JOINED.sub(" ", text)
    runs = [run for words in dict.fromkeys((_plain(text), _plain(apart))) for run in _runs(words.split())]
    return tuple(dict.fromkeys(" ".join((*run[:-1], last)) for run in runs for last in _singulars(run[-1])))


_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])|_")


def _runs(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST_PHRASE, len(words)) + 1):
            yield words[start:end]


def _singulars(word: str) -> Iterator[str]:
    yield word
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s"):
        yield word[:-1]


def _matching_paths(role: Role, files: Sequence[str]) -> Iterator[tuple[str, int]]:
    for file in files:
        if globs.matches(file, role.paths):
            yield file, _POINTS_FOR_PATH


def _within(phrase: str, other: str) -> bool:
    return phrase != other and f" {phrase} " in f" {other} "


@lru_cache(8192)
def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
