"""What a message of the Anthropic API costs: published prices, by exact model name."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one message or of a whole execution, in the API's own four classes."""

    input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def prompt(self) -> int:
        """The length of the prompt: read from the cache, written to it, or neither."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens


class Price(msgspec.Struct, frozen=True):
    """Dollars for a million tokens; writing to the five-minute cache costs `CACHE_WRITE` times `input`."""

    input: float
    output: float
    cache_read: float


CACHE_WRITE = 1.25
_MILLION = 1_000_000

# As published in October 2026. A model that is not here has no known price: better no cost than a wrong one.
_PRICES = {
    "claude-fable-5-1": Price(10.0, 50.0, 0.25),
    "claude-mythos-5-1": Price(10.0, 50.0, 0.25),
    "claude-fable-5": Price(10.0, 50.0, 1.0),
    "claude-mythos-5": Price(10.0, 50.0, 1.0),
    "claude-opus-5-5": Price(4.0, 20.0, 0.20),
    "claude-opus-5": Price(5.0, 25.0, 0.50),
    "claude-opus-4-8": Price(5.0, 25.0, 0.50),
    "claude-opus-4-7": Price(5.0, 25.0, 0.50),
    "claude-opus-4-6": Price(5.0, 25.0, 0.50),
    "claude-opus-4-5": Price(5.0, 25.0, 0.50),
    "claude-sonnet-5-5": Price(2.0, 10.0, 0.10),
    "claude-sonnet-5": Price(2.0, 10.0, 0.20),
    "claude-sonnet-4-6": Price(3.0, 15.0, 0.30),
    "claude-sonnet-4-5": Price(3.0, 15.0, 0.30),
    "claude-haiku-5-5": Price(0.10, 0.50, 0.01),
    "claude-haiku-4-5": Price(1.0, 5.0, 0.10),
}
# Models whose requests cost more when the prompt is longer than so many tokens.
_LONG = {"claude-haiku-5-5": (100_000, Price(0.50, 2.50, 0.05))}


def priced(model: str) -> bool:
    """Tell whether the price of `model` is known."""
    return _undated(model) in _PRICES


def dollars(model: str, tokens: Tokens) -> float | None:
    """Return what one message with `tokens` costs, or None where the price of `model` is not known."""
    name = _undated(model)
    if name not in _PRICES:
        return None
    price = _PRICES[name]
    if name in _LONG and tokens.prompt > _LONG[name][0]:
        price = _LONG[name][1]
    written = tokens.cache_creation_input_tokens * price.input * CACHE_WRITE
    read = tokens.cache_read_input_tokens * price.cache_read
    return (tokens.input_tokens * price.input + written + read + tokens.output_tokens * price.output) / _MILLION


def tokens_of(usage: Mapping[str, object]) -> Tokens:
    """Return the counts of an API `usage` object; what is absent, null or no whole number counts as 0."""
    counts = {name: usage.get(name) for name in Tokens.__struct_fields__}
    return Tokens(**{name: count for name, count in counts.items() if isinstance(count, int)})


def _undated(model: str) -> str:
    return re.sub(r"-20\d{6}$", "", model)
