"""Two versions of a configuration file as flat settings, and which change makes a check weaker."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
import tomli

Settings: TypeAlias = dict[str, Any]
"""Values by their path: `tool.ruff.lint.ignore`. Lists are values."""

_MOST_VALUES = 50_000

_LENIENT = re.compile(
    r"ignore|disable|exclude|omit|\bskip|deselect|allow|norecurse|^max|max[-_]|nonfatal|continue|tolerance|any$", re.I
)
_STRICT = re.compile(
    r"strict|select|enable|fail[-_]?under|threshold|branches|functions|lines|statements|error|required|testpaths"
    r"|python_(?:files|classes|functions)|disallow|warn|check_untyped|^min|min[-_]|testmatch|include|plugins|nounused|noimplicit",
    re.I,
)
_STRONG_VALUES = frozenset({"error", "2", "warn", "1", "true", "strict", "standard"})
_LENIENT_WORDS = re.compile(
    r"--ignore\S*|--deselect\S*|-k|--exit-zero|--passWithNoTests|--no-cov\S*|--maxfail=0|-p no:\S+"
)
_STRICT_WORDS = re.compile(r"--strict\S*|--cov-fail-under\S*|-Werror|-W|--error\S*|--cov\S*")


def read_settings(path: str, text: str) -> Settings | None:
    """Return the settings of a file, by its name; None for a format that is not known, or that cannot be read."""
    try:
        if path.endswith(".toml"):
            return dict(_flat(tomli.loads(text)))
        if path.endswith((".json", ".nycrc", ".mocharc", ".eslintrc")):
            return dict(_flat(json.loads(_without_comments(text) or "{}")))
        if path.endswith((".yml", ".yaml")):
            return _from_yaml(text)
        if path.endswith((".ini", ".cfg", ".flake8", ".coveragerc", "pylintrc", ".bandit")):
            return _ini(text)
    except (tomli.TOMLDecodeError, msgspec.DecodeError, ValueError, configparser.Error, RecursionError):
        return None
    return None


def weakened(before: Settings, after: Settings) -> dict[str, str]:
    """Return the settings that are weaker than before, each with the change in words."""
    keys = sorted({*before, *after})
    changes = ((key, _weaker(key, before.get(key), after.get(key))) for key in keys)
    return {key: words for key, words in changes if words}


def _weaker(key: str, old: Any, new: Any) -> str:
    if old == new:
        return ""
    # the section counts as well: `per-file-ignores.tests/**`, `rules.no-eval`
    name = key.rpartition(".")[2]
    is_lenient = bool(_LENIENT.search(name)) or bool(re.search(r"ignores?\b|omit|exclude", key, re.I))
    is_strict = bool(_STRICT.search(name)) and not is_lenient
    if isinstance(old, bool) or isinstance(new, bool):
        is_weaker = (is_strict and old is True and new is not True) or (is_lenient and new is True)
        return f"{key} is {_shown(new)} now" if is_weaker else ""
    if _is_number(old) and (_is_number(new) or new is None):
        is_weaker = (is_strict and (new is None or new < old)) or (is_lenient and new is not None and new > old)
        return f"{key} went from {_shown(old)} to {_shown(new)}" if is_weaker else ""
    if isinstance(old, list) or isinstance(new, list):
        return _weaker_list(key, old or [], new or [], is_lenient=is_lenient, is_strict=is_strict)
    return _weaker_text(key, "" if old is None else str(old), "" if new is None else str(new), is_lenient, is_strict)


def _weaker_list(key: str, old: Any, new: Any, *, is_lenient: bool, is_strict: bool) -> str:
    if not (isinstance(old, list) and isinstance(new, list)):
        return ""
    added = [entry for entry in new if entry not in old]
    removed = [entry for entry in old if entry not in new]
    if is_lenient and added:
        return f"{key} has {_shown(added[0])} now"
    if is_strict and removed:
        return f"{key} has no {_shown(removed[0])} any more"
    if old and new and _is_rule_level(old[0]) and _rank(new[0]) < _rank(old[0]):
        return f"{key} went from {_shown(old[0])} to {_shown(new[0])}"
    # the options of a test runner, as a list
    return _weaker_text(key, " ".join(map(str, old)), " ".join(map(str, new)), is_lenient=False, is_strict=False)


def _weaker_text(key: str, old: str, new: str, is_lenient: bool, is_strict: bool) -> str:
    if _is_number_text(old) and _is_number_text(new) and (is_lenient or is_strict):
        is_weaker = float(new) < float(old) if is_strict else float(new) > float(old)
        return f"{key} went from {old} to {new}" if is_weaker else ""
    if _is_rule_level(old) and (_rank(new) < _rank(old)) and not is_lenient:
        return f"{key} went from {old} to {new or 'nothing'}"
    if is_lenient and (words := sorted({*_words(new)} - {*_words(old)})):
        return f"{key} has {_shown(words[0])} now"
    if is_strict and (words := sorted({*_words(old)} - {*_words(new)})):
        return f"{key} has no {_shown(words[0])} any more"
    for word in _LENIENT_WORDS.findall(new):
        if word not in old:
            return f"{key} has {word} now"
    for word in _STRICT_WORDS.findall(old):
        if word not in new:
            return f"{key} has no {word} any more"
    return ""


def _rank(level: Any) -> int:
    return {"off": 0, "0": 0, "": 0, "none": 0, "false": 0, "warn": 1, "1": 1, "basic": 1}.get(str(level).lower(), 2)


def _is_rule_level(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).lower() in _STRONG_VALUES


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_number_text(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(?:\.\d+)?", text.strip()))


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


def _shown(value: Any) -> str:
    if value is None:
        return "gone"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix, value


def _from_yaml(text: str) -> Settings | None:
    # msgspec imports yaml when it is used: 25 ms, and few branches change such a file
    content = msgspec.yaml.decode(text) or {}
    return dict(_flat(content)) if _is_bounded(content) else None


def _is_bounded(content: Any) -> bool:
    """Return whether values are not too many: with aliases, a few lines of YAML can be more than fits into memory."""
    pending = [content]
    for _ in range(_MOST_VALUES):
        if not pending:
            return True
        value = pending.pop()
        pending += value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        if len(pending) > _MOST_VALUES:
            return False
    return False


def _ini(text: str) -> Settings:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.read_string(text)
    return {f"{section}.{key}": value for section in parser.sections() for key, value in parser.items(section)}


def _without_comments(text: str) -> str:
    r"""Return JSON with comments (as tsconfig.json has them) without these; strings such as "a//b" stay."""
    tokens = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*[\s\S]*?\*/|,(?=\s*[}\]])')
    return tokens.sub(lambda match: match[1] or "", text)
