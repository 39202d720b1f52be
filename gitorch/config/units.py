"""Durations and sizes, as people write them."""

from __future__ import annotations

import re

from gitorch.errors import InvalidInput

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def seconds(text: str) -> float:
    """Read a duration: `90m`, `1h30m`, `45` (seconds); 0 means no limit."""
    if not re.fullmatch(rf"\s*(?:{_NUMBER}\s*[smhd]?\s*)+", text.lower()):
        raise InvalidInput("duration", f"{text!r} is not a duration", fix=("write it as 45s, 90m or 1h30m",))
    parts = re.findall(rf"({_NUMBER})\s*([smhd]?)", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size(text: str) -> int:
    """Read a size in bytes: `2GB`, `500MB`."""
    match = re.fullmatch(rf"({_NUMBER})\s*([kmgt]?)b?", text.strip().lower())
    if match is None:
        raise InvalidInput("size", f"{text!r} is not a size", fix=("write it as 500MB or 2GB",))
    return int(float(match[1]) * _SIZES[match[2]])
