"""Updates of an ACP session as lines of a stream: whole texts instead of pieces, tool calls with all their fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gitorch.agents.streams import Record, number_at, object_at, text_at

Emit: TypeAlias = Callable[[Record], None]

_TEXTS = {"agent_message_chunk": "message", "agent_thought_chunk": "thought"}
_DOLLARS = "USD"


def is_without_input(tool_call: Record) -> bool:
    """Return whether a tool call says that its input is still to come."""
    return tool_call.get("rawInput") == {}


class Updates:
    """Emits what a session says, and adds up what it costs. Nothing is emitted of the history of a loaded session."""

    def __init__(self, emit: Emit) -> None:
        self.text = ""
        self.session_usd = 0.0
        self.usd: float | None = None
        self._emit = emit
        self._calls: dict[str, Record] = {}
        self._without_input: set[str] = set()
        self._kind = ""
        self._pieces: list[str] = []
        self._message = ""
        self._is_live = False
        self._earlier_usd = 0.0

    def begin(self, earlier_usd: float) -> None:
        """Emit from now on; `earlier_usd` is what the session had cost before."""
        self._is_live = True
        self._earlier_usd = self.session_usd = earlier_usd

    def add(self, update: object) -> None:
        """Take the next update, of a known kind or not."""
        if not self._is_live or not isinstance(update, dict):
            return
        kind = text_at(update, "sessionUpdate")
        if kind in _TEXTS:
            self._add_text(_TEXTS[kind], update)
            return
        self.flush()
        if kind in ("tool_call", "tool_call_update"):
            update = self.completed(update)
            self._announce(update)
        if kind == "usage_update":
            self._add_cost(update)
        elif kind:
            self._emit({"type": "update", "update": update})

    def completed(self, tool_call: Record) -> Record:
        """Return a tool call with the fields that earlier updates gave it."""
        name = text_at(tool_call, "toolCallId")
        given = {key: value for key, value in tool_call.items() if value is not None}
        self._calls[name] = {**self._calls.get(name, {}), **given}
        return self._calls[name]

    def _announce(self, tool_call: Record) -> None:
        """Emit a call again when its input is known: some agents announce a call before that."""
        name = text_at(tool_call, "toolCallId")
        if tool_call["sessionUpdate"] == "tool_call" and is_without_input(tool_call):
            self._without_input.add(name)
        elif name in self._without_input:
            self._without_input.discard(name)
            call = {**tool_call, "sessionUpdate": "tool_call", "rawInput": tool_call.get("rawInput") or None}
            self._emit({"type": "update", "update": call})

    def flush(self) -> None:
        """Emit the text so far."""
        text = "".join(self._pieces)
        kind, self._pieces, self._kind = self._kind, [], ""
        if not text.strip():
            return
        if kind == "message":
            self.text = text.strip()
        self._emit({"type": kind, "text": text.strip()})

    def _add_text(self, kind: str, update: Record) -> None:
        message = text_at(update, "messageId")
        if kind != self._kind or message != self._message:
            self.flush()
        self._kind, self._message = kind, message
        self._pieces.append(text_at(update, "content", "text"))

    def _add_cost(self, update: Record) -> None:
        amount = number_at(update, "cost", "amount")
        if amount is None or text_at(object_at(update, "cost"), "currency") != _DOLLARS:
            return
        # some agents count a loaded session from zero again
        earlier = self._earlier_usd if amount >= self._earlier_usd else 0.0
        self.usd = amount - earlier
        self.session_usd = amount
        self._emit({"type": "usage", "usd": self.usd})
