"""What a setting may be, in words, and a value that it may not be, as one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gitorch.config.settings import Config, Section

_LONGEST_VALUE = 60
_WORDS: dict[Any, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
MISSING = object()


def problem(name: str, settings: Mapping[str, Any]) -> str:
    """Return why the value of a setting is not valid: the value, and what is allowed; `name` is dotted."""
    value = value_at(name, settings)
    shown_value = "" if value is MISSING else f" = {_value_text(value)}"
    allowed = words(kind_of(name))
    return f"{name}{shown_value} is not valid" + (f": it must be {allowed}" if allowed else "")


def words(kind: Any) -> str:
    """Return what values of a type are, in words; empty for a type that has none."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        *first_choices, last = (str(part) for part in parts)
        return f"{', '.join(first_choices)} or {last}" if first_choices else last
    if origin in (tuple, list):
        return f'a list, such as ["..."], of {words(parts[0])}'
    if origin is dict:
        inner = words(parts[1])
        return (
            "a table of tables" if inner == "a table" else f"a table whose values are {inner}" if inner else "a table"
        )
    if origin in (Union, UnionType):
        return " or ".join(filter(None, (words(part) for part in parts if part is not type(None))))
    return "a table" if isinstance(kind, type) and issubclass(kind, Section) else ""


def required_field(name: str) -> str:
    """Return the words for what a table lacks, with the values that it may have."""
    allowed = words(kind_of(name))
    return f"{name} is missing" + (f": it must be {allowed}" if allowed else "")


def kind_of(name: str) -> Any:
    """Return the type of a setting; None for an unknown one. An index, as in `run[0]`, is one of its values."""
    kind: Any = Config
    for part in name.split("."):
        field, bracket, _ = part.partition("[")
        origin = get_origin(kind)
        kind = get_args(kind)[1] if origin is dict else _hints(kind).get(field) if isinstance(kind, type) else None
        kind = _without_none(kind)
        if bracket:
            kind = next(iter(get_args(kind)), None)
    return kind


def _without_none(kind: Any) -> Any:
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if get_origin(kind) in (Union, UnionType) and len(parts) == 1 else kind


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def value_at(name: str, settings: Mapping[str, Any]) -> Any:
    """Return the value of a setting; `MISSING` for none."""
    value: Any = settings
    for part in name.split("."):
        field, _, index = part.partition("[")
        value = value.get(field, MISSING) if isinstance(value, Mapping) else MISSING
        number = index.removesuffix("]")
        if number.isdigit() and isinstance(value, list) and int(number) < len(value):
            value = value[int(number)]
    return value


def _value_text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
