"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return this moment as RFC 3339 in UTC, to the second."""
    return rfc3339(datetime.now(UTC))


def rfc3339(time: datetime, timespec: str = "seconds") -> str:
    """Return a time as RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
