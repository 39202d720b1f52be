"""Requests to the Messages API as the rest of the agent sees them, without the SDK: the function type, and failures."""

from __future__ import annotations

import contextlib
import email.utils
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Stream: TypeAlias = Callable[[Json], Iterator[Json]]
"""Sends a request and yields the events of its reply; raises `ApiFailure`."""


class ApiFailure(Exception):
    """A request without a complete reply.

    `error` is its name, `status` the HTTP status if there was one, `retryable` whether the same request may work later,
    `retry_seconds` how long the server asks to wait, `resets_at` (Unix seconds) when a limit ends.
    """

    def __init__(
        self,
        message: str,
        *,
        error: str,
        status: int | None = None,
        retryable: bool = False,
        retry_seconds: float | None = None,
        resets_at: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error = error
        self.status = status
        self.retryable = retryable
        self.retry_seconds = retry_seconds
        self.resets_at = resets_at


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a server asks to wait (`retry-after-ms`, `retry-after` in seconds or as a date)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            return max(0.0, float(headers[name]) * unit)
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    return None
