"""Find the line of a key in TOML or YAML text: the parsers do not report it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]")


def find_key(lines: Sequence[str], key: str, start: int = 0, end: int | None = None, *, prefix: str = "") -> int | None:
    """Return the index of the first line that begins with a key, quoted or not; None if there is none.

    `prefix` is a pattern for what may stand before the key, besides spaces.
    """
    pattern = re.compile(rf"\s*{prefix}\s*[\"']?{re.escape(key)}(?![\w-])")
    stop = len(lines) if end is None else end
    return next((index for index in range(start, stop) if key and pattern.match(lines[index])), None)


def find_setting(text: str, name: str) -> int:
    """Return the line number of a dotted name in TOML: that of its own header, or of its key in its table.

    Of one in an inline table, it is the line of that table; else 1.
    """
    table, _, key = name.rpartition(".")
    is_inside = not table
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            if header[1] == name:
                return number
            is_inside = header[1] == table
        elif is_inside and find_key([line], key) is not None:
            return number
    return find_setting(text, table) if table else 1
