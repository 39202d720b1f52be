"""Search text for credentials by rules. Uses only the standard library: every supervisor loads it.

A rule's expression is tried only on lines with one of its keywords, so that a long log costs little.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` would delay the start of every agent and every check
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    Match: TypeAlias = tuple[int, int, str]
    """Where a credential starts and ends, and its kind."""

_OWN_RULES = {
    "anthropic-key": (r"sk-ant-[A-Za-z0-9_-]{16,}", ("sk-ant-",)),
    "openai-key": (r"sk-(?:proj-)?[A-Za-z0-9_-]{32,}", ("sk-",)),
    "github-token": (
        r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    "gitlab-token": (r"glpat-[A-Za-z0-9_-]{20,}", ("glpat-",)),
    "aws-key": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ("akia", "asia")),
    "slack-token": (r"xox[abprs]-[A-Za-z0-9-]{10,}", ("xox",)),
    "pypi-token": (r"pypi-[A-Za-z0-9_-]{40,}", ("pypi-",)),
    "jwt": (
        # the second half takes what is none as a whole: else each `eyJ` in it would be tried up to its end
        r"(eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+)|eyJ[A-Za-z0-9_-]{10,}+",
        ("eyj",),
    ),
    "url-password": (r"(?<=://)[^/\s:@\"\\]{1,200}:[^/\s@\"\\]{1,200}(?=@)", ("://",)),
    "netrc": (
        r"(?:\b(?:machine|login) .{1,200}?\bpassword|^\s*password) (\S{6,})(?=\s*$|\s+(?:account|macdef)\b)",
        ("password ",),
    ),
}
_GROUPED = ("jwt", "netrc")
"""Own rules whose first group is secret, and nothing where it is empty."""

# a terminal or an editor may have wrapped these; their beginnings are too special to be ordinary words
_WRAPPED_RULES = tuple(
    (kind, _OWN_RULES[kind][0], prefixes)
    for kind, prefixes in {
        "anthropic-key": ("sk-ant-",),
        "github-token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        "gitlab-token": ("glpat-",),
        "aws-key": ("AKIA", "ASIA"),
        "pypi-token": ("pypi-",),
        "jwt": ("eyJ",),
    }.items()
)
_TWO_WHEN_LOWERED = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
"""The only letter that has more characters as a small one: places in both texts have to be the same."""

_PREFIX = 4
"""Letters of a keyword that are looked up first: the size of an integer."""

_LINE_BREAK = re.compile(r"\r?\n")

# Python's `re` tries all ways to match, where gitleaks relies on an engine that never does: expressions are bounded, so
# that what one costs at a keyword can be told before it is tried
_LEAST_STEPS = 1_000
_UPPER_BOUND = re.compile(r"\{\d+,(\d+)\}")

KEY_KIND = "private-key"
KEY_END = r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_KEY_START = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_KEY_WORD = "private key"
_KEY_STEPS = 32_768
_BREAK = r"(?:\s|\\[nrt])"
# as much as there is of a key that was cut off: text that follows is not part of it
_KEY_REST = (
    rf"(?:{_BREAK}++[A-Z][A-Za-z-]*+: [^\n\\\"]*)*"
    rf"(?:{_BREAK}*+(?:[+>|]{_BREAK}*+)?[A-Za-z0-9+/]{{16,}}+={{0,2}})*"
    rf"(?:{_BREAK}++[A-Za-z0-9+/]{{1,64}}={{1,2}})?"
)


class Rule:
    """One rule: its name, its expression, the words that must be in a line, and what is no credential after all.

    `group` is the part of a match that is secret (0: the first group that matched).
    """

    __slots__ = ("allow", "entropy", "group", "id", "is_exempt", "keywords", "pattern", "steps")

    def __init__(
        self,
        id: str,
        pattern: str,
        keywords: Sequence[str],
        *,
        entropy: float = 0.0,
        group: int = 0,
        allow: Sequence[str] = (),
        is_exempt: bool = False,
    ) -> None:
        self.id = id
        self.pattern = pattern
        self.keywords = keywords
        self.entropy = entropy
        self.group = group
        self.allow = allow
        self.is_exempt = is_exempt
        self.steps = max(_LEAST_STEPS, *map(int, _UPPER_BOUND.findall(pattern)), 0)
        """How many steps the expression may take at a keyword, at most."""


class Effort:
    """How many steps of expressions may still be taken. A text can be made so that a short line takes minutes."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def is_spent(self) -> bool:
        """Whether something was not searched because it would have taken more."""
        return self.left < 0

    def take(self, steps: int) -> bool:
        """Return whether so many steps may be taken; nothing may be after the first that were too many."""
        if self.left >= 0:
            self.left -= steps
        return self.left >= 0


class Scanner:
    """Finds credentials: by gitorch's own rules, by those of a table, and by known values.

    `table` is the content of `data/credentials.toml`. `values` maps names to values that are secret.
    """

    def __init__(self, table: Mapping[str, Any], values: Mapping[str, str] | None = None) -> None:
        own = [
            Rule(kind, pattern, words, is_exempt=True, group=int(kind in _GROUPED))
            for kind, (pattern, words) in _OWN_RULES.items()
        ]
        rules = [*own, *(Rule(**fields) for fields in table.get("rules", ()))]
        self._allow: Sequence[str] = table.get("allow", ())
        self._stopwords: Sequence[str] = table.get("stopwords", ())
        self._rules_by_keyword: dict[str, list[Rule]] = {}
        for rule in rules:
            for keyword in rule.keywords:
                self._rules_by_keyword.setdefault(keyword, []).append(rule)
        self._short_keywords = [word for word in self._rules_by_keyword if len(word) < _PREFIX]
        self._by_prefix: dict[int, list[str]] = {}
        for word in self._rules_by_keyword:
            if len(word) >= _PREFIX:
                self._by_prefix.setdefault(_prefix(word), []).append(word)
        self._prefixes = frozenset(self._by_prefix)
        # the longest first: one value may be part of another
        self.values = sorted((values or {}).items(), key=lambda item: -len(item[1]))

    def find(self, text: str, effort: Effort | None = None) -> list[Match]:
        """Return the credentials in a text, in order, without overlaps; only some of them if the effort is spent."""
        return _without_overlaps(self._matches(text, effort))

    def find_wrapped(self, text: str) -> list[Match]:
        """Return the credentials in a text, also those that a line break divides."""
        matches = self.find(text)
        wrapped = self._wrapped_matches(text, {start for start, _, _ in matches})
        return _without_overlaps([*matches, *wrapped]) if wrapped else matches

    def _matches(self, text: str, effort: Effort | None) -> Iterator[Match]:
        lowered = text.replace(_TWO_WHEN_LOWERED, "i").lower()
        yield from self._value_matches(text)
        keys = lowered.count(_KEY_WORD)
        if keys and (effort is None or effort.take(keys * _KEY_STEPS)):
            for start, end in _key_spans(text):
                yield start, end, KEY_KIND
        for keyword in self._keywords_in(lowered):
            for start, end in _lines_with(lowered, keyword):
                for rule in self._rules_by_keyword[keyword]:
                    steps = end - start + rule.steps * lowered.count(keyword, start, end)
                    if effort and not effort.take(steps):
                        return
                    yield from self._line_matches(rule, text, start, end)

    def _keywords_in(self, text: str) -> list[str]:
        """Return the keywords that a text holds, or may hold.

        To search for each would take 3 times as long. So all groups of 4 letters are looked up as integers, among the
        beginnings of the keywords.
        """
        words = " ".join(set(text.split()))  # much less text where lines are alike
        letters = memoryview(words.encode("ascii", "replace"))
        prefixes: set[int] = set()
        for offset in range(_PREFIX):
            size = (len(letters) - offset) // _PREFIX * _PREFIX
            if size > 0:
                prefixes |= self._prefixes.intersection(letters[offset : offset + size].cast("I"))
        candidates = {*self._short_keywords, *(word for prefix in prefixes for word in self._by_prefix[prefix])}
        ordered = filter(candidates.__contains__, self._rules_by_keyword)
        return [word for word in ordered if word in (words if " " not in word else text)]

    def _value_matches(self, text: str) -> Iterator[Match]:
        for name, value in self.values:
            position = text.find(value)
            while position >= 0:
                yield position, position + len(value), name
                position = text.find(value, position + len(value))

    def _line_matches(self, rule: Rule, text: str, start: int, end: int) -> Iterator[Match]:
        for match in _compiled(rule.pattern).finditer(text[start:end]):
            group = rule.group or next((number for number, value in enumerate(match.groups(), start=1) if value), 0)
            secret = match[group]
            if secret and not self._is_allowed(rule, secret):
                yield start + match.start(group), start + match.end(group), rule.id

    def _is_allowed(self, rule: Rule, secret: str) -> bool:
        if rule.is_exempt:
            return False
        if rule.entropy and _entropy(secret) < rule.entropy:
            return True
        if any(_compiled(pattern).search(secret) for pattern in (*rule.allow, *self._allow)):
            return True
        return any(word in secret.lower() for word in self._stopwords)

    def _wrapped_matches(self, text: str, starts: set[int]) -> list[Match]:
        """Return the credentials that a line break divides, except those whose first part is one by itself."""
        joined = _LINE_BREAK.sub("", text)
        if len(joined) == len(text):
            return []
        spans = [(start, end, name) for start, end, name in Scanner._value_matches(self, joined)]
        for kind, pattern, prefixes in _WRAPPED_RULES:
            if any(prefix in joined for prefix in prefixes):
                group = int(kind in _GROUPED)
                matches = _compiled(pattern).finditer(joined)
                spans += [(*match.span(group), kind) for match in matches if match[group]]
        place = _original_positions(text) if spans else None
        found = [(place(start), place(end - 1) + 1, kind) for start, end, kind in spans if place]
        return [match for match in found if "\n" in text[match[0] : match[1]] and match[0] not in starts]


def replaced(text: str, matches: Iterable[Match]) -> str:
    """Return text with every match replaced by its kind; line breaks in one that was wrapped stay."""
    parts: list[str] = []
    position = 0
    for start, end, kind in matches:
        breaks = [] if kind == KEY_KIND else _LINE_BREAK.findall(text[start:end])
        parts += [text[position:start], f"[redacted {kind}]", *breaks]
        position = end
    return "".join([*parts, text[position:]]) if parts else text


def ends_in_key(text: str, last: Match) -> bool:
    """Return whether a text ends within a private key; `last` is its last match."""
    start, end, kind = last
    return kind == KEY_KIND and not text[end:].strip() and _compiled(KEY_END).search(text, start, end) is None


def _key_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where private keys start and end: whole ones, or as much as there is of one.

    An expression for it would look for an end again from each beginning.
    """
    ends = [match.span() for match in _compiled(KEY_END).finditer(text)]
    number = position = 0
    while begin := _compiled(_KEY_START).search(text, position):
        while number < len(ends) and ends[number][0] < begin.end():
            number += 1
        if number < len(ends) and ends[number][0] - begin.end() <= _KEY_STEPS:
            position = ends[number][1]
        else:
            rest = _compiled(_KEY_REST).match(text, begin.end())
            position = rest.end() if rest else begin.end()
        yield begin.start(), position


def _prefix(word: str) -> int:
    return memoryview(word[:_PREFIX].encode()).cast("I")[0]


def _without_overlaps(matches: Iterable[Match]) -> list[Match]:
    result: list[Match] = []
    last_end = 0
    for start, end, kind in sorted(matches, key=lambda match: (match[0], -match[1])):
        if start >= last_end:
            result.append((start, end, kind))
            last_end = end
    return result


def _original_positions(text: str) -> Any:
    """Return a function from positions in a text without its line breaks to those in the text."""
    joined_positions: list[int] = []
    removed: list[int] = []
    total = 0
    for match in _LINE_BREAK.finditer(text):
        joined_positions.append(match.start() - total)
        total += match.end() - match.start()
        removed.append(total)

    def original(position: int) -> int:
        number = bisect_right(joined_positions, position)
        return position + (removed[number - 1] if number else 0)

    return original


def _lines_with(text: str, word: str) -> Iterator[tuple[int, int]]:
    """Yield where each line with a word starts and ends."""
    position = text.find(word)
    while position >= 0:
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        yield start, end
        position = text.find(word, end)


def _entropy(text: str) -> float:
    """Return Shannon's entropy of a text, in bits for each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


@lru_cache(None)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
