"""What goals of a known kind consist of: an API, a user interface, a data pipeline, a model, and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import msgspec

from gitorch import data
from gitorch.flow.planning.heuristics.features import Featured
from gitorch.flow.planning.heuristics.lexicon import head
from gitorch.model.plan import Size


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part that goals of some kind have; `after` names the parts that it waits for, as far as the plan has them."""

    key: str
    title: str
    prompt: str
    role: str
    after: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    size: Size = Size.MEDIUM


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of goal or feature: the words (regular expressions) that identify it, and the keys of its parts."""

    words: tuple[str, ...]
    parts: tuple[str, ...]


class Templates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `plan_templates.toml`."""

    parts: tuple[Block, ...]
    kinds: tuple[Kind, ...]
    features: tuple[Kind, ...]


_LAST = ("tests", "docs")
"""The parts that concern all others, and wait for them."""

_WITH_KIND = re.compile(r"\b(?:with|including)\b.*", re.IGNORECASE)
_PAGE = re.compile(r"\b(?:pages?|screens?|views?|dashboards?|forms?)$", re.IGNORECASE)
_THERE = re.compile(
    r"\b(?:existing|current|present|our) (?:\w+ )?(?:database|schema|tables|data model)\b", re.IGNORECASE
)


@cache
def templates() -> Templates:
    """Return the templates that ship with gitorch."""
    return data.load("plan_templates.toml", Templates)


def kinds_of(goal: str) -> list[str]:
    """Return the keys of the parts that goals have whose words are those of known kinds; none for others.

    What a goal is for or does is not what it asks for: "caching for the API" is no API.
    """
    named = head(goal) + " ".join(_WITH_KIND.findall(goal))
    wanted = {key for kind in templates().kinds if _occurs(kind.words, named) for key in kind.parts}
    if _THERE.search(goal):
        wanted.discard("schema")
    return [block.key for block in templates().parts if block.key in wanted]


def blocks_of(keys: Iterable[str], own: Sequence[Block] = ()) -> list[Block]:
    """Return known parts with tests and documentation, and a goal's own ones before these, in an order to read them in.

    Where the goal is of no known kind there are its own parts alone.
    """
    wanted = {*keys, "tests", "docs"} if keys else set[str]()
    known = [block for block in templates().parts if block.key in wanted]
    built = [*(block for block in known if block.key not in _LAST), *own]
    last = [_later(block, [one.key for one in built]) for block in known if block.key in _LAST]
    found = [*built, *last]
    return [msgspec.structs.replace(block, after=tuple(_nearest(block, found))) for block in found]


def _later(block: Block, keys: Sequence[str]) -> Block:
    return msgspec.structs.replace(block, after=tuple(keys))


def features_of(goal: str, found: Featured) -> list[Block]:
    """Return the parts of something that is to be made: those of its kind, and those that its features name.

    None where the features are only what it is made with.
    """
    base = kinds_of(found.base)
    named = {item: _kinds_of_feature(item) for item in found.features}
    known = {key for keys in named.values() for key in keys}
    rest = [item for item in found.features if not named[item] and not _is_tool(item)]
    pages = [item for item in found.features if _PAGE.search(item) and not found.is_ability]
    if not base and known - set(_LAST) and not rest and not pages:
        return blocks_of(known)
    if not (base or len(rest) + len(pages) > 1):
        return []
    start = base or ["base"]
    own = [] if base else [Block(key="base", title=_capital(found.base), prompt=goal, role="")]
    for item in found.features:
        if item in pages:
            own.append(_page(item, start))
        elif item in rest:
            own.append(_feature(item, start, is_ability=found.is_ability))
    return blocks_of({*base, *known} if base else (), own)


def _kinds_of_feature(item: str) -> list[str]:
    """Return the keys of the known parts that a feature is; a page is a part of its own."""
    possible = (*templates().kinds, *templates().features)
    wanted = {_principal(kind.parts) for kind in possible if _occurs(kind.words, item)} - {""}
    if _PAGE.search(item):
        wanted.discard("ui")
    return [block.key for block in templates().parts if block.key in wanted]


def _principal(keys: Sequence[str]) -> str:
    """Return the part that the words of a kind mean as a feature; none for kinds of whole systems."""
    return "" if len(keys) > 2 else keys[-1] if keys[0] == "schema" else keys[0]


def _is_tool(item: str) -> bool:
    """Tell whether a feature is a name ("FastAPI", "Tailwind CSS"): what something is made with."""
    words = item.split()
    return all(word[:1].isupper() for word in words) and any(any(map(str.islower, word)) for word in words)


def _page(item: str, start: Sequence[str]) -> Block:
    (ui,) = (block for block in templates().parts if block.key == "ui")
    prompt = f"Build {item}, with its loading, empty and error states."
    after = (*start, "schema", "api", "auth", "ui")
    return msgspec.structs.replace(
        ui, key=f"+{item}", title=f"Build {item}", prompt=prompt, after=after, size=Size.MEDIUM
    )


def _feature(item: str, start: Sequence[str], *, is_ability: bool) -> Block:
    title = _capital(item) if is_ability else f"Add {item}"
    return Block(key=f"+{item}", title=title, prompt=f"{title}, as the goal asks for it.", role="", after=tuple(start))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _nearest(block: Block, found: list[Block]) -> Iterator[str]:
    """Yield what a block waits for, without what it waits for anyway by way of another one."""
    there = {one.key: one for one in found}
    direct = [key for key in dict.fromkeys(block.after) if key in there and key != block.key]
    return (key for key in direct if not any(key in _behind(there[other], there) for other in direct))


def _behind(block: Block, there: dict[str, Block]) -> set[str]:
    direct = {key for key in block.after if key in there}
    return direct.union(*(_behind(there[key], there) for key in direct))


def _occurs(words: tuple[str, ...], goal: str) -> bool:
    return _one_of(words).search(goal) is not None


@cache
def _one_of(words: tuple[str, ...]) -> re.Pattern[str]:
    # unlike `any_of`, a hyphen belongs to a word: "api-first" is no API
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)
