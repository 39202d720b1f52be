"""Find and redact credentials: text that looks like one is replaced before it is stored or shown.

A few rules of our own come first; the others are those of gitleaks (`data/credentials.toml`). The value of a credential
is never returned: a finding has its kind, its place, and a short hash to compare it by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

try:  # `hashlib` would load OpenSSL: 5 ms, for every command that shows what moved
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

from gitorch.model.credentials.key_lines import KeyLines
from gitorch.model.credentials.scan import Effort, Scanner, ends_in_key, replaced


class Finding(msgspec.Struct, frozen=True):
    """A credential in a text: its kind, where it starts and ends, and a short digest of it."""

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
    return replaced(text, _scanner().find(text))


class Redactor:
    """Redacts a text that comes in parts, of whole lines or of lines without line ends; a private key may span them.

    `kinds` holds the kind of every credential so far.
    """

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._key = KeyLines()

    def feed(self, text: str) -> str:
        """Return the next part without credentials; of the lines of a private key only the line ends are left."""
        text = self._key.feed(text)
        matches = _scanner().find_wrapped(text)
        self.kinds += [kind for _, _, kind in matches]
        if matches and ends_in_key(text, matches[-1]):
            self._key.open()
        redacted = replaced(text, matches)
        return redacted + ("\n" if text.endswith("\n") and not redacted.endswith("\n") else "")


def find(text: str, effort: Effort | None = None) -> list[Finding]:
    """Return the credentials in a text, in order, without overlaps; only some of them if the effort is spent."""
    return [Finding(kind, start, end, _digest(text[start:end])) for start, end, kind in _scanner().find(text, effort)]


def without(text: str, findings: Iterable[Finding]) -> str:
    """Return text with these credentials replaced by their kinds."""
    return replaced(text, [(finding.start, finding.end, finding.kind) for finding in findings])


def _digest(value: str) -> str:
    return blake2b(value.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


@lru_cache(1)
def table() -> Mapping[str, Any]:
    """Return the rules of `data/credentials.toml` as plain values, for `Scanner`."""
    # 30 ms; most commands redact nothing
    from gitorch import data

    loaded = data.load("credentials.toml", _Rules)
    rules = [{field: getattr(rule, field) for field in rule.__struct_fields__} for rule in loaded.rules]
    return {"rules": rules, "allow": loaded.allow, "stopwords": loaded.stopwords}


@lru_cache(1)
def _scanner() -> Scanner:
    return Scanner(table())
