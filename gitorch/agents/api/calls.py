"""Calls of the Messages API in one execution: retried when the service has trouble, counted, and reported as events."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from gitorch.agents.api.requests import ApiFailure, Stream
from gitorch.agents.api.stream import Broken, Draft, Reply, with_texts
from gitorch.agents.prices import Tokens, dollars

Json: TypeAlias = dict[str, Any]
Emit: TypeAlias = Callable[[Json], None]

WAIT_CAP_SECONDS = 32.0
RETRY_AFTER_CAP_SECONDS = 60.0
ALIVE_SECONDS = 60.0
CACHED = {"type": "ephemeral"}


class RequestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one execution may use; `budget` in dollars, 0 for none."""

    model: str
    budget: float = 0.0
    max_turns: int = 200
    max_tokens: int = 32_000
    retries: int = 8
    retry_seconds: float = 0.5


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How an execution ended; `error` is empty for success."""

    subtype: str = "error_during_execution"
    error: str = ""
    text: str = ""
    status: int | None = None
    resets_at: float | None = None


def failed(failure: ApiFailure) -> End:
    """Return the end of an execution whose request got no reply."""
    return End(error=failure.error, text=failure.message, status=failure.status, resets_at=failure.resets_at)


class Caller:
    """Sends requests, emits an event for every retry and every reply, and adds up the cost.

    `session` is the id in the events; `hidden` are the secrets that no text may contain.
    """

    def __init__(
        self, limits: RequestLimits, stream: Stream, emit: Emit, *, session: str, hidden: tuple[str, ...] = ()
    ) -> None:
        self.limits = limits
        self.tokens = Tokens()
        self.usd = dollars(limits.model, Tokens())
        self.turns = 0
        self.stop_reason = ""
        self._stream = stream
        self._emit = emit
        self._session = session
        self._hidden = tuple(secret for secret in hidden if secret)

    def reply(self, request: Json) -> Reply:
        """Send a request, with retries, and return the reply. Raises `ApiFailure`."""
        reply = self._with_retries(request)
        self.turns += 1
        self.stop_reason = reply.stop_reason
        self._spend(reply.tokens)
        self._emit(self._reply_event(reply))
        return reply

    def redacted(self, text: str) -> str:
        """Return text without the secrets."""
        for secret in self._hidden:
            text = text.replace(secret, "[redacted]")
        return text

    def _with_retries(self, request: Json) -> Reply:
        attempt = 1
        while True:
            try:
                return self._try(request)
            except ApiFailure as failure:
                if not failure.retryable or attempt > self.limits.retries:
                    raise
                wait = self._wait(failure, attempt)
                if wait is None:
                    raise
                self._emit(self._retry_event(failure, attempt, wait))
                time.sleep(wait)
                attempt += 1

    def _try(self, request: Json) -> Reply:
        draft, alive = Draft(), time.monotonic()
        try:
            for count, event in enumerate(self._stream(request)):
                draft.feed(event)
                # a long reply is a single event at its end: until then, this event shows progress
                if time.monotonic() - alive > ALIVE_SECONDS:
                    alive = time.monotonic()
                    self._emit({"type": "system", "subtype": "status", "status": "receiving", "events": count})
            reply = draft.reply()
            return msgspec.structs.replace(reply, content=with_texts(reply.content, self.redacted))
        except Broken as broken:
            self._spend(draft.tokens)
            raise ApiFailure(str(broken), error="server_error", retryable=True) from None
        except ApiFailure:
            self._spend(draft.tokens)
            raise

    def _wait(self, failure: ApiFailure, attempt: int) -> float | None:
        """Return the seconds until the next try; None if the server asks for more than is acceptable."""
        if failure.retry_seconds is not None:
            return failure.retry_seconds if failure.retry_seconds <= RETRY_AFTER_CAP_SECONDS else None
        longest = min(WAIT_CAP_SECONDS, self.limits.retry_seconds * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.75, 1.25)  # noqa: S311

    def _spend(self, tokens: Tokens) -> None:
        self.tokens += tokens
        cost = dollars(self.limits.model, tokens)
        self.usd = None if cost is None or self.usd is None else self.usd + cost

    def _reply_event(self, reply: Reply) -> Json:
        message = {
            "id": reply.id,
            "role": "assistant",
            "model": reply.model,
            "content": reply.content,
            "stop_reason": reply.stop_reason,
            "usage": msgspec.to_builtins(reply.tokens),
        }
        return {"type": "assistant", "message": message, "session_id": self._session}

    def _retry_event(self, failure: ApiFailure, attempt: int, wait: float) -> Json:
        return {
            "type": "system",
            "subtype": "api_retry",
            "attempt": attempt,
            "max_retries": self.limits.retries,
            "retry_delay_ms": wait * 1000,
            "error_status": failure.status,
            "error": failure.error,
            "message": failure.message,
            "session_id": self._session,
        }


def marked(messages: list[Json]) -> list[Json]:
    """Return the messages with a cache breakpoint on the last block of the last two user messages.

    The last one writes what the next request reads. The one before is what this request reads, even if there are more
    blocks between them than the API looks back.
    """
    indices = [index for index, message in enumerate(messages) if message["role"] == "user"][-2:]
    return [_mark(message) if index in indices else message for index, message in enumerate(messages)]


def _mark(message: Json) -> Json:
    *blocks, last = message["content"]
    return {**message, "content": [*blocks, {**last, "cache_control": CACHED}]}
