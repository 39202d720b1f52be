"""Durations, times, sizes, costs and counts as short text for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gitorch.model.outcome import Usage


def duration(seconds: float) -> str:
    """Return a duration: `0.4s`, `43s`, `41m51s`, `5h08m`, `2d03h`."""
    if seconds < 1:
        return f"{max(seconds, 0.0):.1f}s"
    total = int(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02}m"
    return f"{total // 86400}d{total % 86400 // 3600:02}h"


def dollars(usd: float) -> str:
    """Return an amount of dollars; less than half a cent is `<$0.01`."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:.2f}"


def count(number: int) -> str:
    """Return a large number in short form: `950`, `12k`, `1.2M`."""
    if number < 1_000:
        return str(number)
    return f"{number / 1_000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.1f}M"


def size(number: int) -> str:
    """Return a number of bytes: `640 MB`."""
    for unit in ("B", "kB", "MB"):
        if number < 1_000:
            return f"{number:.0f} {unit}"
        number = round(number / 1_000)
    return f"{number / 1_000:.1f} TB" if number >= 1_000 else f"{number} GB"


def age(time: datetime, now: datetime) -> str:
    """Return how long ago a time was: `just now`, `12m ago`, `3h ago`, `2d ago`."""
    seconds = int((now - time).total_seconds())
    if seconds < 60:
        return "just now"
    for length, unit in ((86400, "d"), (3600, "h")):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds // 60}m ago"


def clock(time: datetime, now: datetime) -> str:
    """Return a point in time in the zone of `now`: `01:00` today, `Fri 01:00` within a week, or a date."""
    local = time.astimezone(now.tzinfo)
    days = abs((local.date() - now.date()).days)
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if days < 7 else f"{local:%Y-%m-%d %H:%M}"


def tokens(usage: Usage) -> str:
    """Return the tokens of a usage record: `420k tokens in (12k cached), 9k out`."""
    cached = f" ({count(usage.cached_tokens)} cached)" if usage.cached_tokens else ""
    return f"{count(usage.input_tokens)} tokens in{cached}, {count(usage.output_tokens)} out"


def plural(number: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], limit: int = 3) -> str:
    """Return the first names and how many more there are: `a, b and 2 more`."""
    hidden = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {hidden} more" if hidden > 0 else "")
