"""The usual parts of goals of a known kind: an API, a user interface, a data pipeline, a model, and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import msgspec

from gitorch import data
from gitorch.flow.planning.heuristics.features import FeatureRequest
from gitorch.flow.planning.heuristics.lexicon import head
from gitorch.model.plan import Size


class PartTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The template of a part; `after` names the parts that it waits for, as far as the plan has them."""

    key: str
    title: str
    prompt: str
    role: str
    after: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    size: Size = Size.MEDIUM


class GoalKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of goal or feature: the words (regular expressions) that identify it, and the keys of its parts."""

    words: tuple[str, ...]
    parts: tuple[str, ...]


class Templates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `plan_templates.toml`."""

    parts: tuple[PartTemplate, ...]
    kinds: tuple[GoalKind, ...]
    features: tuple[GoalKind, ...]


_LAST = ("tests", "docs")
"""The parts that concern all others, and wait for them."""

_WITH_KIND = re.compile(r"\b(?:with|including)\b.*", re.IGNORECASE)
_PAGE = re.compile(r"\b(?:pages?|screens?|views?|dashboards?|forms?)$", re.IGNORECASE)
_EXISTING_DATA = re.compile(
    r"\b(?:existing|current|present|our) (?:\w+ )?(?:database|schema|tables|data model)\b", re.IGNORECASE
)


@cache
def templates() -> Templates:
    """Return the templates that ship with gitorch."""
    return data.load("plan_templates.toml", Templates)


def kinds_of(goal: str) -> list[str]:
    """Return the keys of the parts of the known kinds of goals that a goal names; none if it names no kind.

    Words about the purpose do not count: "caching for the API" is no API.
    """
    subject = head(goal) + " ".join(_WITH_KIND.findall(goal))
    keys = {key for kind in templates().kinds if _occurs(kind.words, subject) for key in kind.parts}
    if _EXISTING_DATA.search(goal):
        keys.discard("schema")
    return [part.key for part in templates().parts if part.key in keys]


def parts_of(keys: Iterable[str], additional: Sequence[PartTemplate] = ()) -> list[PartTemplate]:
    """Return the parts with these keys, the additional ones, then tests and documentation, in reading order.

    Without keys there are only the additional parts.
    """
    selected_keys = {*keys, "tests", "docs"} if keys else set[str]()
    selected = [part for part in templates().parts if part.key in selected_keys]
    built = [*(part for part in selected if part.key not in _LAST), *additional]
    last = [_after(part, [part.key for part in built]) for part in selected if part.key in _LAST]
    parts = [*built, *last]
    return [_after(part, _direct_dependencies(part, parts)) for part in parts]


def _after(part: PartTemplate, keys: Iterable[str]) -> PartTemplate:
    return msgspec.structs.replace(part, after=tuple(keys))


def feature_parts(goal: str, request: FeatureRequest) -> list[PartTemplate]:
    """Return the parts of something to build: those of its kind, and those that its features name.

    None if the features are only tools.
    """
    base = kinds_of(request.base)
    keys_by_feature = {feature: _kinds_of_feature(feature) for feature in request.features}
    feature_keys = {key for keys in keys_by_feature.values() for key in keys}
    unknown = [item for item in request.features if not keys_by_feature[item] and not _is_tool(item)]
    pages = [item for item in request.features if _PAGE.search(item) and not request.is_ability]
    if not base and feature_keys - set(_LAST) and not unknown and not pages:
        return parts_of(feature_keys)
    if not (base or len(unknown) + len(pages) > 1):
        return []
    start = base or ["base"]
    additional = [] if base else [PartTemplate(key="base", title=_capital(request.base), prompt=goal, role="")]
    for item in request.features:
        if item in pages:
            additional.append(_page(item, start))
        elif item in unknown:
            additional.append(_feature(item, start, is_ability=request.is_ability))
    return parts_of({*base, *feature_keys} if base else (), additional)


def _kinds_of_feature(item: str) -> list[str]:
    """Return the keys of the parts that a feature stands for; a page is a separate part."""
    possible = (*templates().kinds, *templates().features)
    keys = {_principal(kind.parts) for kind in possible if _occurs(kind.words, item)} - {""}
    if _PAGE.search(item):
        keys.discard("ui")
    return [part.key for part in templates().parts if part.key in keys]


def _principal(keys: Sequence[str]) -> str:
    """Return the part that a kind means as a feature; empty for kinds of whole systems."""
    return "" if len(keys) > 2 else keys[-1] if keys[0] == "schema" else keys[0]


def _is_tool(item: str) -> bool:
    """Return whether a feature is a proper name ("FastAPI", "Tailwind CSS"), and so a tool to build with."""
    words = item.split()
    return all(word[:1].isupper() for word in words) and any(any(map(str.islower, word)) for word in words)


def _page(item: str, start: Sequence[str]) -> PartTemplate:
    (ui,) = (part for part in templates().parts if part.key == "ui")
    prompt = f"Build {item}, with its loading, empty and error states."
    after = (*start, "schema", "api", "auth", "ui")
    return msgspec.structs.replace(
        ui, key=f"+{item}", title=f"Build {item}", prompt=prompt, after=after, size=Size.MEDIUM
    )


def _feature(item: str, start: Sequence[str], *, is_ability: bool) -> PartTemplate:
    title = _capital(item) if is_ability else f"Add {item}"
    return PartTemplate(
        key=f"+{item}", title=title, prompt=f"{title}, as the goal asks for it.", role="", after=tuple(start)
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _direct_dependencies(part: PartTemplate, parts: Sequence[PartTemplate]) -> Iterator[str]:
    """Yield the dependencies of a part, without those of its other dependencies."""
    by_key = {other.key: other for other in parts}
    keys = [key for key in dict.fromkeys(part.after) if key in by_key and key != part.key]
    return (key for key in keys if not any(key in _all_dependencies(by_key[other], by_key) for other in keys))


def _all_dependencies(part: PartTemplate, by_key: Mapping[str, PartTemplate]) -> set[str]:
    keys = {key for key in part.after if key in by_key}
    return keys.union(*(_all_dependencies(by_key[key], by_key) for key in keys))


def _occurs(words: tuple[str, ...], goal: str) -> bool:
    return _any_word_of(words).search(goal) is not None


@cache
def _any_word_of(words: tuple[str, ...]) -> re.Pattern[str]:
    # unlike in `any_of`, a hyphen belongs to the word: "api-first" is no API
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)
