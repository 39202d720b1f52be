"""Calls of a model in streams whose `assistant` events repeat the messages of Anthropic's API: `claude` and `api`."""

from __future__ import annotations

from gitorch.agents import streams
from gitorch.agents.prices import Tokens, dollars, tokens_of
from gitorch.agents.protocol import ModelCall
from gitorch.agents.streams import Record, object_at, text_at
from gitorch.model.outcome import Usage


def model_call(line: bytes) -> ModelCall | None:
    """Return the call of the model that a line is about; a message can have one line for each of its blocks."""
    if b'"assistant"' not in line:
        return None
    record = streams.parse(line) or {}
    message = object_at(record, "message")
    if record.get("type") != "assistant" or not object_at(message, "usage"):
        return None
    return ModelCall(text_at(message, "id"), message_usage(message))


def message_usage(message: Record) -> Usage:
    """Return what one message adds to the usage."""
    tokens = tokens_of(object_at(message, "usage"))
    return usage_of(tokens, dollars(text_at(message, "model"), tokens), 1)


def usage_of(tokens: Tokens, usd: float | None, turns: int) -> Usage:
    """Return tokens of the API as a usage, whose input includes what the cache has read and kept."""
    return Usage(
        usd=usd,
        input_tokens=tokens.prompt,
        cached_tokens=tokens.cache_read_input_tokens,
        output_tokens=tokens.output_tokens,
        turns=turns,
    )
