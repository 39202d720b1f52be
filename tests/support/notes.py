"""Lines of notes as plain fields, for tests that write and read any kind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gitorch.model.note import Line, parse_lines


def note_line(**fields: object) -> Line:
    """Return a line with these fields, as any version or another tool may have written it."""
    (line,) = parse_lines(json.dumps(fields, separators=(",", ":")).encode())
    return line


def fields_of(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the fields of each line, including unknown ones."""
    return [json.loads(line.text) for line in lines]
