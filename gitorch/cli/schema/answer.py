"""What all answers have in common: the schema's name, times, fields that may be absent, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec

from gitorch.cli.terminal.sanitize import json_escaped

Value = TypeVar("Value")

Absent = msgspec.UnsetType
"""The type of a field that is left out where it does not apply. (A field that is null is not known.)"""

Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A point in time, RFC 3339 in UTC."""

ObjectId = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
"""The full id of a git object: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits."""


class JsonAnswer(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """One answer of the command line. The tag of each subclass is the name of its schema."""


def line(answer: JsonAnswer) -> str:
    """Return an answer as one line of JSON."""
    return dumps(msgspec.to_builtins(answer))


def dumps(values: Mapping[str, Any]) -> str:
    """Return values as one line of JSON; characters that would steer a terminal are written as `\\u` escapes."""
    # not msgspec.json.encode: text from git may hold bytes that are not UTF-8 (surrogates)
    return json_escaped(json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def present(value: Value) -> Value | Absent:
    """Return a value, or what leaves its field out where the value is empty."""
    return value or msgspec.UNSET


def timestamp(time: datetime) -> Timestamp:
    """Return a point in time as RFC 3339 in UTC, to the millisecond where it has a fraction."""
    exact = "milliseconds" if time.microsecond else "seconds"
    return time.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "Z")


def known_time(time: datetime | None) -> Timestamp | None:
    """Return a point in time in the same way; None where it is not known."""
    return timestamp(time) if time else None


def now() -> Timestamp:
    """Return the current time as RFC 3339 in UTC, to the second."""
    return timestamp(datetime.now(UTC).replace(microsecond=0))
