"""Roles, and how a task is routed to a suitable one."""

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
"""Points that a title must give a role; a single ambiguous word is not enough."""

_LEAD_OF_WEAK = 2
"""Points by which a role must lead if all its words are ambiguous."""

_ENOUGH_IN_PROMPT = 4
_LEAD_IN_PROMPT = 2
_READ_OF_PROMPT = 4000
_POINTS_FOR_PATH = 3
_LONGEST_PHRASE = 6
"""Words of the longest phrase."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role: what it is for, its instructions, and the words and paths that select it.

    `match` gives each word its points (1 to 5). `paths` are globs. `agent` is the agent that suits it, and `model` the
    model of that agent; empty leaves both to the configuration. `tools` lists what it is meant to use. `origin` is
    `built-in`, a configuration file, or a file of the repository at a commit.
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
    """Return the role that suits a task, and the reason in words.

    The title decides: its words, with those of its label counted twice ("docs: ...", "[ui] ...", "fix(api): ..."), the
    files that it names, and the `paths` that the task is limited to. If these say too little, or tie, the `prompt` and
    the files in it count too, and then need a clear lead. Words match whole, never inside others ("email" does not
    contain "ml"). A tie, or too little, goes to the generalist.
    """
    evidence = _evidence_by_role(roles, title, paths)
    choice = _best(evidence, roles, enough=_ENOUGH, lead=1)
    if choice[0].name != GENERALIST or not prompt.strip():
        return choice
    in_prompt = _evidence_by_role(roles, prompt[:_READ_OF_PROMPT], ())
    combined = {
        name: evidence[name] | {word: points for word, points in in_prompt[name].items() if points > 1}
        for name in roles
    }
    clear_choice = _best(combined, roles, enough=_ENOUGH_IN_PROMPT, lead=_LEAD_IN_PROMPT)
    return choice if any(map(any, evidence.values())) and clear_choice[0].name == GENERALIST else clear_choice


def _evidence_by_role(roles: Mapping[str, Role], text: str, paths: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the points for each role, by word or file."""
    files_in_text = _FILE.findall(text)
    located = [file for file in files_in_text if any(globs.matches(file, role.paths) for role in roles.values())]
    words = _without(text, located)
    return {name: _evidence(role, words, (*paths, *files_in_text)) for name, role in roles.items()}


def _without(text: str, files: Sequence[str]) -> str:
    """Leave out files whose folder decides: their names add nothing."""
    for file in files:
        text = text.replace(file, " ")
    return text


def _best(
    evidence: Mapping[str, Mapping[str, int]], roles: Mapping[str, Role], *, enough: int, lead: int
) -> tuple[Role, str]:
    totals = sorted(((sum(points.values()), name) for name, points in evidence.items()), reverse=True)
    (best, first), (runner_up, second) = totals[0], totals[1] if len(totals) > 1 else (0, "")
    is_weak = best > 0 and max(evidence[first].values()) == 1
    if best < enough or (is_weak and best - runner_up < _LEAD_OF_WEAK):
        words = ", ".join(evidence[first]) if best else ""
        return roles[GENERALIST], f"no specialist stands out (weak match: {words})" if words else _NOTHING
    if best - runner_up < lead:
        return roles[GENERALIST], f"{first} and {second} are equally near: {_listed(evidence[first], evidence[second])}"
    return roles[first], _listed(evidence[first])


_NOTHING = "no word or path calls for a specialist"


def _listed(*evidence: Mapping[str, int]) -> str:
    """Return words and files, those with the most points first."""
    words = {word: None for points in evidence for word in sorted(points, key=lambda word: -points[word])}
    return ", ".join(words)


# a name with a folder or an extension: `src/ui/button.tsx`, `parser.py`
_FILE = re.compile(r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.[a-z]{1,6}(?!\w)")


_LABEL = re.compile(r"\s*(?:\[(?P<tag>[^\]]{1,30})\]|(?P<name>[\w./-]+)?(?:\((?P<scope>[^)]{1,30})\))?!?\s?:(?=\s))")


def _evidence(role: Role, text: str, files: Sequence[str]) -> dict[str, int]:
    """Return the words and files that count for a role, with their points; no word that is part of a longer one."""
    words = {_normalized(word): word for word in role.match}
    phrases = [phrase for phrase in _phrases(text) if phrase in words]
    label = _LABEL.match(text)
    in_label = _phrases(" ".join(filter(None, label.groups()))) if label else ()
    points = {
        words[phrase]: role.match[words[phrase]] * (2 if phrase in in_label else 1)
        for phrase in phrases
        if not any(_within(phrase, other) for other in phrases)
    }
    return points | dict(_matching_paths(role, files))


@lru_cache(64)
def _phrases(text: str) -> tuple[str, ...]:
    """Return all phrases of a text, each once; the last word also in the singular.

    `StorageClass` and `storage_class` are read as one word, and as two.
    """
    separated = _JOINED.sub(" ", text)
    readings = dict.fromkeys((_normalized(text), _normalized(separated)))
    runs = [run for words in readings for run in _runs(words.split())]
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
def _normalized(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
