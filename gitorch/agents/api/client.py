"""The only module that talks to the Messages API, with the `anthropic` SDK: a request in, raw stream events out.

Every error comes out as `ApiFailure`, with its name and whether a retry makes sense. The SDK's own retries are off: it
obeys any `retry-after`, even an hour, and nobody sees that it waits.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import anthropic
import httpx2

from gitorch.agents import limit_reset
from gitorch.agents.api.requests import ApiFailure, Stream, retry_after

Json: TypeAlias = dict[str, Any]

CONNECT_SECONDS = 15.0
# the API's names of errors, and those of Claude Code's events, which gitorch uses
_NAMES = {
    "authentication_error": "authentication_failed",
    "permission_error": "authentication_failed",
    "billing_error": "billing_error",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "not_found_error": "model_not_found",
    "invalid_request_error": "invalid_request",
    "request_too_large": "invalid_request",
    "api_error": "server_error",
    "timeout_error": "server_error",
    "conflict_error": "server_error",
}
_STATUSES = {
    401: "authentication_failed",
    402: "billing_error",
    403: "authentication_failed",
    404: "model_not_found",
    408: "server_error",
    409: "server_error",
    429: "rate_limit",
    529: "overloaded",
}
_RETRYABLE = frozenset({"rate_limit", "overloaded", "server_error"})
_SPENT = re.compile(r"reached your specified .{0,40}usage limits", re.I)


def connect(*, key: str, token: str, read_seconds: float) -> Stream:
    """Return the function that sends a request and yields its events, with `key` or else the bearer `token`.

    The base URL is `ANTHROPIC_BASE_URL` or the SDK's own. `read_seconds` is the longest silence within a reply.
    """
    timeout = httpx2.Timeout(read_seconds, connect=CONNECT_SECONDS)
    client = anthropic.Anthropic(api_key=key or None, auth_token=None if key else token, max_retries=0, timeout=timeout)

    def stream(request: Json) -> Iterator[Json]:
        with _failures(), client.messages.create(**request, stream=True) as events:
            for event in events:
                yield event.to_dict()

    return stream


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except anthropic.APIStatusError as error:
        raise of_status(error) from None
    except anthropic.APITimeoutError:
        raise ApiFailure("Request timed out", error="server_error", retryable=True) from None
    except (anthropic.APIError, httpx2.HTTPError, httpx2.StreamError) as error:
        message = str(error) or type(error).__name__
        raise ApiFailure(f"Unable to connect to API ({message})", error="server_error", retryable=True) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        # the SDK passes both on unchanged, for an event that is not JSON
        raise ApiFailure(f"Failed to parse the reply ({error})", error="server_error", retryable=True) from None


def of_status(error: anthropic.APIStatusError) -> ApiFailure:
    """Return the failure that an error reply, or an error event in a stream, stands for."""
    message = error.api_message or str(error)
    headers = error.response.headers
    # an error event is part of a reply with a good status
    status = error.status_code if error.status_code >= 400 else None
    name = _name(status, error.type or "", message)
    wait = retry_after(headers, time.time())
    return ApiFailure(
        message,
        error=name,
        status=status,
        retryable=_is_retryable(name, headers) and not _SPENT.search(message),
        retry_seconds=wait,
        resets_at=_resets_at(name, headers, message, wait),
    )


def _name(status: int | None, kind: str, message: str) -> str:
    if _SPENT.search(message):
        return "rate_limit"
    if "credit balance" in message:
        return "billing_error"
    if "prompt is too long" in message:
        return "prompt_too_long"
    if status in _STATUSES:
        return _STATUSES[status]
    if kind in _NAMES and (status is None or status < 500):
        return _NAMES[kind]
    return "invalid_request" if status is not None and status < 500 else "server_error"


def _is_retryable(name: str, headers: Mapping[str, str]) -> bool:
    header = headers.get("x-should-retry", "")
    return header == "true" if header in ("true", "false") else name in _RETRYABLE


def _resets_at(name: str, headers: Mapping[str, str], message: str, wait: float | None) -> float | None:
    if name != "rate_limit":
        return None
    now = datetime.now(UTC)
    if _SPENT.search(message) and (regained := limit_reset.parse(message, now)):
        return regained
    if wait is not None:
        return time.time() + wait
    with contextlib.suppress(KeyError, ValueError):
        return float(headers["anthropic-ratelimit-unified-reset"])
    return _bucket_reset(headers, now) or limit_reset.parse(message, now)


def _bucket_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return when the last of the exhausted limits (requests, tokens) is full again."""
    resets = [
        headers.get(f"anthropic-ratelimit-{limit}-reset", "")
        for limit in ("requests", "tokens", "input-tokens", "output-tokens")
        if headers.get(f"anthropic-ratelimit-{limit}-remaining") == "0"
    ]
    return max(filter(None, (limit_reset.parse(text, now) for text in resets)), default=None)
