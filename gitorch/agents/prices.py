"""What models cost: published prices, by exact model name, and the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import msgspec

from gitorch import data
from gitorch.config import AgentSettings, PriceSettings


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one message or of a whole execution, in the four classes of the API."""

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


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dollars per million tokens; writing to the five-minute cache costs `CACHE_WRITE` times `input`.

    `long_prompt` replaces all three for requests whose prompt has more than `long_prompt_above` tokens.
    """

    input: float
    output: float
    cache_read: float
    long_prompt_above: int = 0
    long_prompt: Price | None = None


CACHE_WRITE = 1.25
_MILLION = 1_000_000


def priced(model: str) -> bool:
    """Return whether the price of `model` is known."""
    return _price(model) is not None


def prices_of(settings: AgentSettings) -> PriceSettings | None:
    """Return the prices by which an agent's tokens are counted; None if it says itself what it costs, or if unknown.

    The user's own count for every agent, published ones for a codex whose model is configured: it says tokens only.
    """
    if settings.prices is not None or settings.kind != "codex":
        return settings.prices
    price = _price(settings.model)
    return PriceSettings(input=price.input, output=price.output, cached=price.cache_read) if price else None


def dollars(model: str, tokens: Tokens) -> float | None:
    """Return the cost of one message with `tokens`, or None if the price of `model` is unknown."""
    price = _price(model)
    if price is None:
        return None
    if price.long_prompt is not None and tokens.prompt > price.long_prompt_above:
        price = price.long_prompt
    written = tokens.cache_creation_input_tokens * price.input * CACHE_WRITE
    read = tokens.cache_read_input_tokens * price.cache_read
    return (tokens.input_tokens * price.input + written + read + tokens.output_tokens * price.output) / _MILLION


def _price(model: str) -> Price | None:
    undated = re.sub(r"-20\d{6}$", "", model)
    return _prices().get(undated)


@cache
def _prices() -> dict[str, Price]:
    return data.load("prices.toml", dict[str, Price])


def tokens_of(usage: Mapping[str, object]) -> Tokens:
    """Return the counts of an API `usage` object; absent, null and non-integer values count as 0."""
    counts = {name: usage.get(name) for name in Tokens.__struct_fields__}
    return Tokens(**{name: count for name, count in counts.items() if isinstance(count, int)})
