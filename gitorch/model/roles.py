"""The specialists, and how a task finds its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from gitorch.model import specialists
from gitorch.model.specialists import Specialist

BUILT_IN_ORIGIN = "built-in"

_ENOUGH = 2
"""Points that a title must give a role: one word with other meanings does not decide."""

_ENOUGH_IN_PROMPT = 4
_LEAD_IN_PROMPT = 2
_READ_OF_PROMPT = 4000
_POINTS_FOR_PATH = 3


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A specialist: what it is for, its instructions, and the words and paths by which a task finds it.

    `match` gives each word its points (1 to 3); `paths` are globs; `agent` the agent that suits it, and `model` that
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


GENERALIST = Role(
    name=specialists.GENERALIST[0], purpose=specialists.GENERALIST[1], instructions=specialists.GENERALIST[2]
)


def _built_in(one: Specialist) -> Role:
    points = ((one.three, 3), (one.two, 2), (one.one, 1))
    return Role(
        name=one.name,
        purpose=one.purpose,
        instructions=one.instructions,
        match={word: count for words, count in points for word in map(str.strip, words.split(","))},
        paths=tuple(one.paths.split()),
    )


BUILT_IN: dict[str, Role] = {
    GENERALIST.name: GENERALIST,
    **{one.name: _built_in(one) for one in specialists.SPECIALISTS},
}


def route(title: str, roles: Mapping[str, Role], *, prompt: str = "", paths: Sequence[str] = ()) -> tuple[Role, str]:
    """Choose the role that a task calls for, and say why in words.

    What decides are the title's words and the files it names, and the `paths` that the task is confined to. Only where
    they say nothing at all is the `prompt` read, and then it has to be clear. Words match whole, never inside others
    ("email" holds no "ml"). A tie, or too little, is for the generalist.
    """
    files = (*paths, *_FILE.findall(title))
    found = {name: _evidence(role, title, files) for name, role in roles.items()}
    if any(found.values()):
        return _best(found, roles, enough=_ENOUGH, lead=1)
    found = {name: _evidence(role, prompt[:_READ_OF_PROMPT], ()) for name, role in roles.items()}
    return _best(found, roles, enough=_ENOUGH_IN_PROMPT, lead=_LEAD_IN_PROMPT)


def _best(
    found: Mapping[str, Mapping[str, int]], roles: Mapping[str, Role], *, enough: int, lead: int
) -> tuple[Role, str]:
    points = sorted(((sum(evidence.values()), name) for name, evidence in found.items()), reverse=True)
    (most, first), (next_most, second) = points[0], points[1] if len(points) > 1 else (0, "")
    if most < enough:
        weak = ", ".join(found[first]) if most else ""
        return roles[GENERALIST.name], f"no specialist stands out ({weak} is too little)" if weak else _NOTHING
    if most - next_most < lead:
        return roles[GENERALIST.name], f"{first} and {second} are equally near: {_told(found[first], found[second])}"
    return roles[first], _told(found[first])


_NOTHING = "no word or path calls for a specialist"


def _told(*found: Mapping[str, int]) -> str:
    words = {word: None for evidence in found for word in sorted(evidence, key=lambda one: -evidence[one])}
    return ", ".join(words)


# a name with a folder or an extension: `src/ui/button.tsx`, `parser.py`
_FILE = re.compile(r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.[a-z]{1,6}(?!\w)")


def _evidence(role: Role, text: str, files: Sequence[str]) -> dict[str, int]:
    """Return the words and paths that speak for a role, with their points; not a word inside a longer one."""
    plain = _plain(text)
    words = [word for word in role.match if _pattern(word).search(plain)]
    found = {word: role.match[word] for word in words if not any(_within(word, other) for other in words)}
    return found | dict(_matching_paths(role, files))


def _matching_paths(role: Role, files: Sequence[str]) -> Iterator[tuple[str, int]]:
    for file in files:
        if any(_covers(pattern, file) for pattern in role.paths):
            yield file, _POINTS_FOR_PATH


def _covers(pattern: str, path: str) -> bool:
    # `**/web/**` is meant for `web/x` at the top, too
    return fnmatchcase(path, pattern) or fnmatchcase(f"/{path}", pattern)


def _within(word: str, other: str) -> bool:
    return word != other and _pattern(word).search(_plain(other)) is not None


@lru_cache(1024)
def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@lru_cache(4096)
def _pattern(word: str) -> re.Pattern[str]:
    plain = _plain(word)
    plural = (
        f"(?:{re.escape(plain)}(?:e?s)?|{re.escape(plain[:-1])}ies)"
        if plain.endswith("y")
        else f"{re.escape(plain)}(?:e?s)?"
    )
    return re.compile(rf"(?<!\w){plural}(?!\w)")
