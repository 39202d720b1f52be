"""Find and redact credentials: text that looks like one is replaced before it is stored or shown.

A few rules of our own come first; the others are those of gitleaks (`data/credentials.toml`). A rule's expression is
tried only on lines with one of its keywords, so that a long log costs little. The value of a credential is never
returned: a finding has its kind, its place, and a short hash to compare it by.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

_BLOCK = 65_536
"""Characters that are searched at once."""

_OWN_RULES = {
    "anthropic-key": (r"sk-ant-[A-Za-z0-9_-]{16,}", ("sk-ant-",)),
    "openai-key": (r"sk-(?:proj-)?[A-Za-z0-9_-]{32,}", ("sk-",)),
    "github-token": (r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})", ("gh", "github_pat_")),
    "gitlab-token": (r"glpat-[A-Za-z0-9_-]{20,}", ("glpat-",)),
    "aws-key": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ("akia", "asia")),
    "slack-token": (r"xox[abprs]-[A-Za-z0-9-]{10,}", ("xox",)),
    "pypi-token": (r"pypi-[A-Za-z0-9_-]{40,}", ("pypi-",)),
    "jwt": (r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", ("eyj",)),
    "url-password": (r"(?<=://)[^/\s:@]{1,200}:[^/\s@]{1,200}(?=@)", ("://",)),
    "netrc": (
        r"(?:\b(?:machine|login) .{1,200}?\bpassword|^\s*password) (\S{6,})(?=\s*$|\s+(?:account|macdef)\b)",
        ("password ",),
    ),
}
_KEY_START, _KEY_END = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
)
_KEY_KIND = "private-key"
_KEY_WORD = "private key"


class FoundCredential(msgspec.Struct, frozen=True):
    """A credential in a text: its kind, where it starts and ends, and the first digits of its SHA-256."""

    kind: str
    start: int
    end: int
    digest: str


class _Rule(msgspec.Struct, frozen=True):
    """A rule of `data/credentials.toml`; the head of that file says what the fields mean."""

    id: str
    pattern: str
    keywords: tuple[str, ...]
    entropy: float = 0.0
    group: int = 0
    allow: tuple[str, ...] = ()


class _Rules(msgspec.Struct, frozen=True):
    rules: tuple[_Rule, ...]
    allow: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()


def redacted(text: str) -> str:
    """Return text with every credential replaced by its kind: `[redacted github-token]`."""
    return _replaced(text, find(text))


def _replaced(text: str, findings: Iterable[FoundCredential]) -> str:
    parts: list[str] = []
    position = 0
    for finding in findings:
        parts += [text[position : finding.start], f"[redacted {finding.kind}]"]
        position = finding.end
    return "".join([*parts, text[position:]]) if parts else text


class Redactor:
    """Redacts a text that comes in parts, of whole lines or of lines without line ends; a private key may span them.

    `kinds` holds the kind of every credential so far.
    """

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._in_key = False

    def feed(self, text: str) -> str:
        """Return the next part without credentials; of the lines of a private key only the line ends are left."""
        before = ""
        if self._in_key:
            key_end = re.search(_KEY_END, text)
            if key_end is None:
                return "\n" * text.count("\n")
            self._in_key = False
            before, text = "\n" * text.count("\n", 0, key_end.end()), text[key_end.end() :]
        if "PRIVATE KEY" in text:
            starts = [match.end() for match in re.finditer(_KEY_START, text)]
            self._in_key = bool(starts) and re.search(_KEY_END, text[starts[-1] :]) is None
        findings = find(text)
        self.kinds += [finding.kind for finding in findings]
        shown = _replaced(text, findings)
        return before + shown + ("\n" if text.endswith("\n") and not shown.endswith("\n") else "")


def redacted_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without credentials, in blocks of bounded size."""
    redactor = Redactor()
    for block in _blocks(lines):
        yield redactor.feed(block.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    collected: list[bytes] = []
    size = 0
    for line in lines:
        collected.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(collected)
            collected, size = [], 0
    if collected:
        yield b"".join(collected)


def find(text: str) -> list[FoundCredential]:
    """Return the credentials in a text, in order, without overlaps."""
    findings: list[FoundCredential] = []
    end = 0
    for start, stop, kind in sorted(_matches(text), key=lambda match: (match[0], -match[1])):
        if start >= end:
            value = text[start:stop].encode("utf-8", "surrogateescape")
            findings.append(FoundCredential(kind, start, stop, hashlib.sha256(value).hexdigest()[:8]))
            end = stop
    return findings


def _matches(text: str) -> Iterator[tuple[int, int, str]]:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capital letters become two characters
        lowered = "".join(character.lower()[:1] for character in text)
    if _KEY_WORD in lowered:
        for match in re.finditer(rf"{_KEY_START}[\s\S]*?(?:{_KEY_END}|\Z)", text):
            yield match.start(), match.end(), _KEY_KIND
    for keyword, rules in _rules_by_keyword().items():
        if keyword in lowered:
            for line_start, line_end in _lines_with(lowered, keyword):
                for rule in rules:
                    yield from _line_matches(rule, text, line_start, line_end)


def _lines_with(text: str, word: str) -> Iterator[tuple[int, int]]:
    """Yield where each line with a word starts and ends."""
    position = text.find(word)
    while position >= 0:
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        yield start, end
        position = text.find(word, end)


def _line_matches(rule: _Rule, text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    line = text[start:end]
    for match in _compiled(rule.pattern).finditer(line):
        group = rule.group or next((number for number, value in enumerate(match.groups(), start=1) if value), 0)
        secret = match[group]
        if secret and not _is_allowed(rule, secret):
            yield start + match.start(group), start + match.end(group), rule.id


def _is_allowed(rule: _Rule, secret: str) -> bool:
    if rule.id in _OWN_RULES:
        return False
    if rule.entropy and _entropy(secret) < rule.entropy:
        return True
    general = _table()
    if any(_compiled(pattern).search(secret) for pattern in (*rule.allow, *general.allow)):
        return True
    return any(word in secret.lower() for word in general.stopwords)


def _entropy(text: str) -> float:
    """Return Shannon's entropy of a text, in bits for each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


@lru_cache(1)
def _table() -> _Rules:
    # 30 ms; most commands redact nothing
    from gitorch import data

    return data.load("credentials.toml", _Rules)


@lru_cache(1)
def _rules_by_keyword() -> dict[str, tuple[_Rule, ...]]:
    own = [_Rule(kind, pattern, keywords) for kind, (pattern, keywords) in _OWN_RULES.items()]
    by_keyword: dict[str, list[_Rule]] = {}
    for rule in (*own, *_table().rules):
        for keyword in rule.keywords:
            by_keyword.setdefault(keyword, []).append(rule)
    return {keyword: tuple(rules) for keyword, rules in by_keyword.items()}


@lru_cache(None)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
