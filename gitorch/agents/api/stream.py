"""One reply of the Messages API, assembled from the events of its stream.

Stricter than the SDK: a stream without its last event is no reply, and a tool call with incomplete arguments does not
run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from gitorch.agents.prices import Tokens, tokens_of

Json: TypeAlias = dict[str, Any]


class Broken(Exception):
    """The stream ended early or was malformed."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A complete message of the model.

    `content` can be sent back as it is. `cut` means that the output limit cut a tool call, which is left out.
    `malformed` names the calls whose arguments are not a JSON object in Unicode; their arguments are empty.
    """

    id: str
    model: str
    content: list[Json]
    stop_reason: str
    tokens: Tokens
    cut: bool = False
    malformed: frozenset[str] = frozenset()

    @property
    def calls(self) -> list[Json]:
        """The tool calls, in order."""
        return [block for block in self.content if block.get("type") == "tool_use"]

    @property
    def text(self) -> str:
        """The text, without the thinking."""
        return "\n".join(str(block["text"]) for block in self.content if block.get("type") == "text")


class Draft:
    """An incomplete reply: feed it every event, then get the `reply`."""

    def __init__(self) -> None:
        self._message: Json = {}
        self._blocks: list[Json] = []
        self._arguments: dict[int, str] = {}
        self._usage: Json = {}
        self._stop_reason = ""
        self._complete = False

    @property
    def tokens(self) -> Tokens:
        """The token counts so far."""
        return tokens_of(self._usage)

    def feed(self, event: Mapping[str, Any]) -> None:
        """Add the next event; unknown kinds are ignored. Raises `Broken`."""
        try:
            self._feed(event)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise Broken(f"malformed event in the stream ({error!r})") from None

    def reply(self) -> Reply:
        """Return the reply. Raises `Broken` when the stream ended too early."""
        if not self._complete or not self._stop_reason:
            raise Broken("the stream ended before the reply was complete")
        malformed = frozenset(self._blocks[index]["id"] for index in self._arguments if not self._set_arguments(index))
        cut = self._stop_reason == "max_tokens" and bool(self._blocks) and self._blocks[-1]["type"] == "tool_use"
        blocks = self._blocks[:-1] if cut else self._blocks
        return Reply(
            id=str(self._message.get("id") or ""),
            model=str(self._message.get("model") or ""),
            content=[scrubbed(block) for block in blocks if _sendable(block)],
            stop_reason=self._stop_reason,
            tokens=self.tokens,
            cut=cut,
            malformed=malformed,
        )

    def _feed(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self._message = event["message"]
                self._count(self._message.get("usage"))
            case "content_block_start":
                self._open(event["index"], dict(event["content_block"]))
            case "content_block_delta":
                self._extend(event["index"], event["delta"])
            case "message_delta":
                self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
                self._count(event.get("usage"))
            case "message_stop":
                self._complete = True
            case _:
                pass

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        # counts are running totals; a missing one keeps its earlier value
        self._usage |= {name: count for name, count in (usage or {}).items() if count is not None}

    def _open(self, index: int, block: Json) -> None:
        if index != len(self._blocks):
            raise IndexError(index)
        if block["type"] == "tool_use":
            self._arguments[index] = ""
            block["id"], block["name"] = str(block["id"]), str(block["name"])
        self._blocks.append(block)

    def _extend(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._blocks[index]
        match delta["type"]:
            case "text_delta":
                block["text"] += delta["text"]
            case "input_json_delta" if index in self._arguments:
                self._arguments[index] += delta["partial_json"]
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]
            case _:
                pass

    def _set_arguments(self, index: int) -> bool:
        """Put the arguments of a tool call into its block; return whether they are usable."""
        block, raw = self._blocks[index], self._arguments[index]
        try:
            arguments = json.loads(raw) if raw else block.get("input", {})
        except (ValueError, RecursionError):
            arguments = None
        usable = isinstance(arguments, dict) and scrubbed(arguments) == arguments
        block["input"] = arguments if usable else {}
        return usable


def scrubbed(value: Any) -> Any:
    """Return `value` with lone surrogates, which UTF-8 cannot encode, replaced in all its texts."""
    return with_texts(value, lambda text: text.encode("utf-8", "replace").decode("utf-8"))


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON `value` with `change` applied to every text in it, including names."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(name): with_texts(part, change) for name, part in value.items()}
        case list():
            return [with_texts(part, change) for part in value]
        case _:
            return value


def _sendable(block: Json) -> bool:
    """Return whether the API accepts a block: no empty text, no thinking without its signature."""
    match block["type"]:
        case "text":
            return bool(block["text"].strip())
        case "thinking":
            return bool(block.get("signature"))
        case _:
            return True
